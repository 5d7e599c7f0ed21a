import type { DeviceGroup, Hsm } from '#libs/hsm';
import { AppError } from '#libs/platform/domain';
import { SignatureVerifier } from '#libs/signature';
import { type LogKey, SIGNATURE_ALGORITHMS } from './domain/log-key.js';

/** Signs the bytes of a checkpoint under a log key. Throws AppError (HSM_*, KEY_NOT_FOUND, TOKEN_MISSING). */
export abstract class CheckpointSigner {
  abstract sign(key: LogKey, bytes: Uint8Array): Promise<Uint8Array>;
}

/** Through the supervisor's client `journal`, on whatever device of the key's group holds it. */
export class HsmCheckpointSigner extends CheckpointSigner {
  private readonly verifier = new SignatureVerifier();

  constructor(private readonly hsm: Hsm) {
    super();
  }

  override async sign(key: LogKey, bytes: Uint8Array): Promise<Uint8Array> {
    const device = `@${key.deviceGroup as DeviceGroup}` as const;
    const [signature] = await this.hsm.sign(device, [{ keyId: key.keyId, purpose: 'checkpoint', bytes }]);
    // A head with a wrong signature would be stored and anchored for ever.
    const holds = signature !== undefined && this.verifier.verify({ algorithm: SIGNATURE_ALGORITHMS[key.algorithm], publicKey: key.spki, bytes, signature });
    if (!holds) throw new AppError('HSM_ANSWER_WRONG', { device, what: 'checkpoint' });
    return signature;
  }
}
