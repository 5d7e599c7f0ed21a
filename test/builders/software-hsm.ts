import { Hsm, type CardAuthentication, type CommandMac, type KeyPath, type ProtectedKey, type ProtectedKeyLoad, type PurchaseMac } from '#libs/hsm';
import { diversify, mac, pad80, tripleEncrypt } from '../psam-card/crypto.js';

/**
 * The card recipes of a token over keys in clear, for tests of rooms above `hsm` that need no token. Its arithmetic is the
 * virtual card's, which has its own vectors. Everything that is not a card recipe throws.
 */
export class SoftwareHsm extends Hsm {
  readonly calls: string[] = [];

  /** @param roots CKA_ID → 16 bytes, both hex. */
  constructor(private readonly roots: Readonly<Record<string, string>>) {
    super();
  }

  override async protectForCard(_device: string, items: readonly ProtectedKeyLoad[]): Promise<ProtectedKey[]> {
    this.calls.push('protectForCard');
    return items.map(({ key, controlKey, header, command, challenge }) => {
      const value = this.at(key);
      const cipher = tripleEncrypt(this.at(controlKey), pad80(Buffer.concat([Buffer.of(header.length + value.length), header, value])));
      return { cipher: plain(cipher), mac: this.macOver(controlKey, command, cipher, challenge) };
    });
  }

  override async commandMacs(_device: string, items: readonly CommandMac[]): Promise<Uint8Array[]> {
    this.calls.push('commandMacs');
    return items.map(({ key, command, data, challenge }) => this.macOver(key, command, data, challenge));
  }

  override async authenticateToCard(_device: string, items: readonly CardAuthentication[]): Promise<Uint8Array[]> {
    this.calls.push('authenticateToCard');
    return items.map(({ key, challenge }) => plain(tripleEncrypt(this.at(key), Buffer.concat([challenge, Buffer.alloc(8)]).subarray(0, 8))));
  }

  override async purchaseMacs(_device: string, items: readonly PurchaseMac[]): Promise<Uint8Array[]> {
    this.calls.push('purchaseMacs');
    return items.map(({ key, sessionInput, data }) => {
      const sessionKey = tripleEncrypt(this.at(key), Buffer.from(sessionInput));
      return plain(mac(sessionKey, Buffer.alloc(8), Buffer.from(data)).subarray(0, 4));
    });
  }

  override async checkValues(_device: string, items: readonly { key: KeyPath }[]): Promise<Uint8Array[]> {
    return items.map(({ key }) => plain(tripleEncrypt(this.at(key), Buffer.alloc(8)).subarray(0, 3)));
  }

  private at({ keyId, factors }: KeyPath): Buffer {
    const root = this.roots[keyId];
    if (root === undefined) throw new Error(`no root ${keyId}`);
    return factors.reduce<Buffer>((key, factor) => diversify(key, Buffer.from(factor)), Buffer.from(root, 'hex'));
  }

  private macOver(key: KeyPath, command: Uint8Array, data: Uint8Array, challenge: Uint8Array): Uint8Array {
    const input = Buffer.concat([command, Buffer.of(data.length + 4), data]);
    return plain(mac(this.at(key), Buffer.from(challenge), input).subarray(0, 4));
  }

  override devices = absent;
  override fleet = absent;
  override noteDevice = absent;
  override policyChain = absent;
  override addPolicy = absent;
  override stop = absent;
  override start = absent;
  override pinQuestions = absent;
  override answerPin = absent;
  override tacs = absent;
  override generateKey = absent;
  override generateKeyPair = absent;
  override importTestTransportKey = absent;
  override transfer = absent;
  override seal = absent;
  override escrowTrust = absent;
  override escrowSplit = absent;
  override escrowTarget = absent;
  override escrowRecover = absent;
  override escrowAbort = absent;
  override fingerprints = absent;
  override sign = absent;
  override destroy = absent;
  override inventory = absent;
  override knownAnswers = absent;
}

async function absent(): Promise<never> {
  throw new Error('not a card recipe');
}

function plain(bytes: Buffer): Uint8Array {
  return Uint8Array.from(bytes);
}
