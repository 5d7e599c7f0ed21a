import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { CheckpointSigner, Journal, type LogKey } from '#libs/journal';
import type { Clock } from '#libs/platform';
import { toHex } from '#libs/platform/domain';
import { signSm2 } from './quorum.js';

/** Signs with keys of this process what the device would sign: for tests of the log that are not about the device. */
export class LocalSigner extends CheckpointSigner {
  readonly keys = new Map<string, { key: LogKey; privateKey: KeyObject }>();
  /** Runs before each signature; a throw stands for a device that is away. */
  beforeSign: () => void = () => undefined;

  make(algorithm: LogKey['algorithm'] = 'p256', fromShard = 2020): LogKey {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: algorithm === 'p256' ? 'prime256v1' : 'SM2' });
    return this.keep({ keyId: toHex(randomBytes(16)), algorithm, spki: Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' })), deviceGroup: 'general', fromShard }, privateKey);
  }

  /** Takes a key that another process made, as it was handed over by `handOver`. */
  take(key: LogKey, pkcs8: string): void {
    this.keep(key, createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), format: 'der', type: 'pkcs8' }));
  }

  /** A key as arguments of a process that signs with it: the key as JSON, its private half as PKCS #8 in Base64. */
  handOver({ keyId, ...key }: LogKey): [string, string] {
    const pkcs8 = this.keys.get(keyId)?.privateKey.export({ type: 'pkcs8', format: 'der' });
    return [JSON.stringify({ keyId, ...key, spki: Buffer.from(key.spki).toString('base64') }), pkcs8?.toString('base64') ?? ''];
  }

  override async sign(key: LogKey, bytes: Uint8Array): Promise<Uint8Array> {
    this.beforeSign();
    const own = this.keys.get(key.keyId);
    if (own === undefined) throw new Error(`no key ${key.keyId}`);
    return key.algorithm === 'sm2' ? signSm2(own.privateKey, key.spki, bytes) : Uint8Array.from(sign('sha256', bytes, own.privateKey));
  }

  private keep(key: LogKey, privateKey: KeyObject): LogKey {
    this.keys.set(key.keyId, { key, privateKey });
    return key;
  }
}

/** Puts a local key into the register of log keys, as a ceremony would. `owner`: a connection that may write there. */
export async function enterLogKey(owner: DataSource, clock: Clock, key: LogKey): Promise<void> {
  await owner.transaction(async (tx) => {
    const entryId = await new Journal(clock).record(tx, { kind: 'journal.logKeyMade', subject: key.keyId, data: { fromShard: key.fromShard } });
    await tx.query('INSERT INTO journal_key_intent (key_id, algorithm, device, device_group, from_shard, entry_id) VALUES ($1, $2, $3, $4, $5, $6)', [
      key.keyId, key.algorithm, 'local', key.deviceGroup, key.fromShard, entryId,
    ]);
    await tx.query('INSERT INTO journal_key (key_id, algorithm, spki, device_group, from_shard, entry_id) VALUES ($1, $2, $3, $4, $5, $6)', [
      key.keyId, key.algorithm, Buffer.from(key.spki), key.deviceGroup, key.fromShard, entryId,
    ]);
  });
}
