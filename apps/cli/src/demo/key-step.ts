import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceStatus, type KcvMethod, type KeyClass, type KeyObject, type KnownAnswer, loadProfiles, type PackedRecipe, type SymmetricAlgorithm, type VendorProfile } from '#libs/hsm';
import { type Demo, DIVERSIFICATION, GENERAL } from './context.js';

type SymmetricRoot = { readonly name: string; readonly keyClass: KeyClass; readonly algorithm: '3des2' | 'aes128' };

/** One root per use. The transport root is the published key of virtual cards, entered where they are personalised. */
const ROOTS: readonly SymmetricRoot[] = [
  { name: 'psam-control', keyClass: 'psamControlRoot', algorithm: '3des2' },
  { name: 'psam-maintenance', keyClass: 'psamMaintenanceRoot', algorithm: '3des2' },
  { name: 'purchase', keyClass: 'purchaseRoot', algorithm: '3des2' },
  { name: 'data', keyClass: 'dataRoot', algorithm: '3des2' },
  { name: 'data-aes', keyClass: 'dataRoot', algorithm: 'aes128' },
];

/** ASCII region code ‖ "sx" (domain: city factor of social-security cards). */
export const REGION_FACTOR = '3131303030307378';
export const CARD_FACTOR = '1100000000000001';
const PSAM_FACTOR = '1100000000000117';

export type RootIds = Readonly<Record<string, string>>;

interface ShownKey {
  readonly keyId: string;
  readonly kcv: string;
  readonly fingerprint: string;
}

export function rootLabel(demo: Demo, name: string): string {
  return `demo${demo.series}/${name}`;
}

/** Roots are made in one token, copied to the other under a wrap, sealed, and diversified in both. Returns key ids. */
export async function keyStep(demo: Demo): Promise<RootIds> {
  const { client } = demo;
  const ids: Record<string, string> = {};
  const progress = demo.progress('生成根密钥并复制到第二台密码机', 'root keys made, and copied to the second device');
  for (const [index, root] of ROOTS.entries()) {
    const label = rootLabel(demo, root.name);
    await client.call('keys.generateRoot', { label, keyClass: root.keyClass, algorithm: root.algorithm, device: GENERAL });
    await client.call('keys.copy', { label, to: DIVERSIFICATION });
    const key = await client.call<ShownKey>('keys.activate', { label });
    ids[root.name] = key.keyId;
    progress(index + 1, ROOTS.length);
  }
  const transport = await client.call<ShownKey>('keys.enterTestTransportKey', { label: rootLabel(demo, 'psam-transport'), device: DIVERSIFICATION });
  ids['psam-transport'] = transport.keyId;
  await demo.rig.afterKeys?.(demo);

  await knownAnswers(demo);
  await copiesAgree(demo);
  await childrenAgree(demo);
  await attributes(demo, ROOTS.map((root) => ids[root.name] as string));
  return ids;
}

interface Vector {
  readonly name: string;
  readonly recipe: PackedRecipe;
  readonly algorithm: SymmetricAlgorithm;
  readonly method?: KcvMethod;
  readonly expected: string;
  readonly source: string;
}

/** What its profile claims, a device has to answer. */
function isOffered({ recipes, checkValueMethods }: VendorProfile, { recipe, algorithm, method }: Vector): boolean {
  return recipes[recipe]?.includes(algorithm) === true && (method === undefined || checkValueMethods[method]?.includes(algorithm) === true);
}

/** The device computes with published keys; the expected values are read from the vectors, not from the device. */
async function knownAnswers(demo: Demo): Promise<void> {
  const { entries } = JSON.parse(readFileSync(demo.vectors('diversification.json'), 'utf8')) as { entries: Vector[] };
  const profiles = loadProfiles(join(demo.checkout, 'libs', 'hsm', 'profiles'));
  const devices = await demo.client.call<DeviceStatus[]>('hsm.devices');
  for (const device of [GENERAL, DIVERSIFICATION]) {
    const answers = await demo.client.call<KnownAnswer[]>('hsm.knownAnswers', { device });
    const profile = profiles.get(devices.find((each) => each.device === device)?.profile ?? '') as VendorProfile;
    const asked = entries.filter((vector) => isOffered(profile, vector));
    for (const { name, expected, source } of asked) {
      const answer = answers.find((each) => each.name === name);
      demo.checks.add(`knownAnswer.${device}.${name}`, expected, answer?.actual ?? 'missing', source);
    }
  }
}

async function copiesAgree(demo: Demo): Promise<void> {
  for (const { name } of ROOTS) {
    const label = rootLabel(demo, name);
    const made = await demo.client.call<ShownKey>('keys.measure', { label, device: GENERAL });
    const copy = await demo.client.call<ShownKey>('keys.measure', { label, device: DIVERSIFICATION });
    demo.checks.add(`root.${name}.kcv`, made.kcv, copy.kcv, 'E(K, 0) first 3 bytes, computed in the other token');
    demo.checks.add(`root.${name}.fingerprint`, made.fingerprint, copy.fingerprint, 'HMAC under the reserved child, computed in the other token');
  }
}

async function childrenAgree(demo: Demo): Promise<void> {
  const children = [
    ['diversify.card-kcv', 'data', [REGION_FACTOR, CARD_FACTOR]],
    ['diversify.psam-kcv', 'psam-control', [REGION_FACTOR, PSAM_FACTOR]],
    ['diversify.aes-card-kcv', 'data-aes', [REGION_FACTOR, CARD_FACTOR]],
  ] as const;
  for (const [check, root, factors] of children) {
    const label = rootLabel(demo, root);
    const [first, second] = [
      await demo.client.call<string>('keys.childCheckValue', { label, factors, device: GENERAL }),
      await demo.client.call<string>('keys.childCheckValue', { label, factors, device: DIVERSIFICATION }),
    ];
    demo.checks.add(check, first, second, 'root → region → card by the PBOC rule, in the other token');
  }
}

async function attributes(demo: Demo, keyIds: readonly string[]): Promise<void> {
  for (const device of [GENERAL, DIVERSIFICATION]) {
    const objects = await demo.client.call<KeyObject[]>('hsm.inventory', { device });
    const sealed = objects.filter((object) => keyIds.includes(object.keyId) && object.sensitive && !object.extractable && object.usages.join() === 'DERIVE');
    demo.checks.add(`root.sealed.${device}`, keyIds.length, sealed.length, 'sensitive, not extractable, CKA_DERIVE only (SP 800-57 key separation)');
  }
}
