import { createInterface } from 'node:readline';
import { loadProfiles, UserToken } from '#libs/hsm/token';
import { fromHex, isAppError, SecretBytes, toHex } from '#libs/platform/domain';

/** A program that asks a person's token what its standard input says: see test-ukey.ts. */
const { profile: name, module, serial } = JSON.parse(process.argv[2] ?? '') as { profile: string; module: string; serial: string };
const profile = loadProfiles('libs/hsm/profiles').get(name);
if (profile === undefined) throw new Error(`no profile ${name}`);
let token: UserToken | undefined;

function answer(line: string): object {
  const order = JSON.parse(line) as { ask: string; pin: string; bytes: string; keyDigest: string };
  token ??= UserToken.open({ module, profile: profile as NonNullable<typeof profile>, serial });
  const shown = token.keys();
  if (order.ask === 'keys') return { ...shown, keys: shown.keys.map((key) => ({ ...key, spki: toHex(key.spki), certificate: undefined })) };
  const pin = new SecretBytes(Buffer.from(order.pin));
  try {
    return { signature: toHex(token.sign(order.keyDigest, fromHex(order.bytes), pin)) };
  } finally {
    pin.zero();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply: object;
  try {
    reply = answer(line);
  } catch (error) {
    reply = isAppError(error) ? { code: error.code, details: error.details } : { code: 'INTERNAL', details: { message: (error as Error).stack } };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
