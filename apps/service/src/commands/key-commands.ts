import { z } from 'zod';
import { DEVICE_STEPS, Hsm, KEY_CLASSES, type DiversificationClass } from '#libs/hsm';
import { type KeyRecord, Keys, PinLogins } from '#libs/keys';
import { type JsonValue, toHex } from '#libs/platform';
import { command, type Command } from './command.js';
import { hex, label } from './fields.js';
import { hsmMetrics } from './hsm-metrics.js';

const diversificationClass = z.enum(
  Object.entries(KEY_CLASSES).flatMap(([name, rule]) => (rule.kind === 'diversification' ? [name as DiversificationClass] : [])),
);
const device = z.string().min(1).max(64);

export const KEY_COMMANDS: Readonly<Record<string, Command>> = {
  'hsm.devices': command(z.strictObject({}), async (app) => (await app.get(Hsm).devices()) as unknown as JsonValue),
  'hsm.fleet': command(z.strictObject({}), async (app) => (await app.get(Hsm).fleet()) as unknown as JsonValue),
  'hsm.metrics': command(z.strictObject({}), async (app) => hsmMetrics(await app.get(Hsm).fleet())),
  'hsm.steps': command(z.strictObject({}), async () => DEVICE_STEPS as unknown as JsonValue),
  'hsm.note': command(z.strictObject({ device, step: z.string().min(1).max(64).default('patrol'), by: z.string().min(1).max(64), note: z.string().max(1000) }), async (app, { device: name, ...entry }) => {
    await app.get(Hsm).noteDevice(name, entry);
    return null;
  }),
  'hsm.pins': command(z.strictObject({}), async (app) => (await app.get(PinLogins).list()) as unknown as JsonValue),
  'hsm.clearPin': command(z.strictObject({ tokenSerial: z.string().min(1).max(32), by: z.string().min(1).max(64), reason: z.string().min(1).max(1000) }), async (app, { tokenSerial, by, reason }) => {
    await app.get(PinLogins).clear(tokenSerial, by, reason);
    return null;
  }),
  'hsm.knownAnswers': command(z.strictObject({ device }), async (app, args) => (await app.get(Hsm).knownAnswers(args.device)) as unknown as JsonValue),
  'hsm.inventory': command(z.strictObject({ device }), async (app, args) => (await app.get(Hsm).inventory(args.device)) as unknown as JsonValue),
  'keys.list': command(z.strictObject({}), async (app) => (await app.get(Keys).list()).map(shown)),
  'keys.generateRoot': command(
    z.strictObject({ label, keyClass: diversificationClass, algorithm: z.enum(['3des2', 'aes128', 'sm4']), device }),
    async (app, args) => shown(await app.get(Keys).generateRoot(args)),
  ),
  'keys.enterTestTransportKey': command(z.strictObject({ label, device }), async (app, args) =>
    shown(await app.get(Keys).enterTestTransportKey(args.label, args.device)),
  ),
  'keys.copy': command(z.strictObject({ label, to: device }), async (app, args) => shown(await app.get(Keys).copy(args.label, args.to))),
  'keys.activate': command(z.strictObject({ label }), async (app, args) => shown(await app.get(Keys).activate(args.label))),
  'keys.measure': command(z.strictObject({ label, device }), async (app, args) => {
    const key = await app.get(Keys).get(args.label);
    return app.get(Keys).measure(args.device, key.keyId, key.kcvMethod ?? 'zero3');
  }),
  'keys.childCheckValue': command(z.strictObject({ label, factors: z.array(hex).max(3), device }), (app, args) =>
    app.get(Keys).childCheckValue(args.label, args.factors, args.device),
  ),
};

function shown(key: KeyRecord): JsonValue {
  return {
    keyId: key.keyId,
    label: key.label,
    keyClass: key.keyClass,
    algorithm: key.algorithm,
    state: key.state,
    kcv: key.kcv ?? null,
    fingerprint: key.fingerprint ?? null,
    publicKey: key.publicKey === undefined ? null : toHex(key.publicKey),
    copies: key.copies.map((copy) => ({ device: copy.device, tokenSerial: copy.tokenSerial, state: copy.state })),
  };
}
