import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  type AsymmetricAlgorithm,
  type DeviceName,
  type DeviceStatus,
  Hsm,
  type KeyId,
  type KeyObject as HsmKeyObject,
  type SignItem,
  type SigningClass,
} from '#libs/hsm';
import { AppError } from '#libs/platform/domain';

/**
 * A signing device in memory, for tests that want to see what reaches the device, or to stop it in the middle. It does
 * nothing but sign: a test that needs a real token starts one (test/env/test-hsm.ts).
 */
export class MemoryHsm extends Hsm {
  readonly signed: SignItem[] = [];
  private readonly pairs = new Map<KeyId, { privateKey: KeyObject; publicKey: Uint8Array }>();
  /** Runs before each sign call; a throw stands for a device or a process that dies there. */
  beforeSign: (items: readonly SignItem[]) => void = () => undefined;
  /** Runs when the device has signed and the caller does not have the signatures yet. */
  afterSign: () => void = () => undefined;

  override async devices(): Promise<DeviceStatus[]> {
    return [{ device: 'general-1', group: 'general', state: 'up', tokenSerial: 'MEMORY', tokenLabel: 'memory', profile: 'memory', notEnforced: [], reason: '' }];
  }

  override async generateKeyPair(
    _device: DeviceName,
    key: { keyId: KeyId; label: string; keyClass: SigningClass; algorithm: AsymmetricAlgorithm },
  ): Promise<{ publicKey: Uint8Array }> {
    const pair =
      key.algorithm === 'p256' ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
    const publicKey = Uint8Array.from(pair.publicKey.export({ type: 'spki', format: 'der' }));
    this.pairs.set(key.keyId, { privateKey: pair.privateKey, publicKey });
    return { publicKey };
  }

  override async sign(device: DeviceName, items: readonly SignItem[]): Promise<Uint8Array[]> {
    this.beforeSign(items);
    const signatures = items.map((item) => {
      const pair = this.pairs.get(item.keyId);
      if (pair === undefined) throw new AppError('KEY_NOT_FOUND', { device, keyId: item.keyId });
      this.signed.push(item);
      return Uint8Array.from(sign('sha256', item.bytes, pair.privateKey));
    });
    this.afterSign();
    return signatures;
  }

  override async destroy(_device: DeviceName, keyId: KeyId): Promise<number> {
    return this.pairs.delete(keyId) ? 1 : 0;
  }

  override async inventory(): Promise<HsmKeyObject[]> {
    return [];
  }

  override fleet = notHere;
  override noteDevice = notHere;
  override policyChain = notHere;
  override addPolicy = notHere;
  override stop = notHere;
  override start = notHere;
  override pinQuestions = notHere;
  override answerPin = notHere;
  override tacs = notHere;
  override generateKey = notHere;
  override transfer = notHere;
  override seal = notHere;
  override escrowTrust = notHere;
  override escrowSplit = notHere;
  override escrowTarget = notHere;
  override escrowRecover = notHere;
  override escrowAbort = notHere;
  override checkValues = notHere;
  override fingerprints = notHere;
  override protectForCard = notHere;
  override commandMacs = notHere;
  override authenticateToCard = notHere;
  override purchaseMacs = notHere;
  override importTestTransportKey = notHere;
  override knownAnswers = notHere;
}

async function notHere(): Promise<never> {
  throw new AppError('HSM_CAPABILITY_MISSING', { device: 'memory', recipe: 'all but sign' });
}
