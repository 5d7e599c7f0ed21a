import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** PKCS#10 requests by hand, with nothing of the product in them: two mistakes must not cancel out. */

const element = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const length = content.length;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
};

const ECDSA_SHA256 = Buffer.from('300A06082A8648CE3D040302', 'hex');
const RSA_SHA256 = Buffer.from('300D06092A864886F70D01010B0500', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');

export interface RequestPair {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Buffer;
  /** PKCS#10 in DER. */
  readonly csr: Buffer;
}

export type RequestAlgorithm = 'p256' | 'rsa2048' | 'rsa1024' | 'p384';

export function makePair(algorithm: RequestAlgorithm): KeyObject {
  if (algorithm === 'p256') return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
  if (algorithm === 'p384') return generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey;
  return generateKeyPairSync('rsa', { modulusLength: algorithm === 'rsa2048' ? 2048 : 1024 }).privateKey;
}

/** A request for a new pair, or for `privateKey`; `signer` signs it when somebody else's key is to do so. */
export function makeRequest(algorithm: RequestAlgorithm, options: { privateKey?: KeyObject; signer?: KeyObject; name?: string } = {}): RequestPair {
  const privateKey = options.privateKey ?? makePair(algorithm);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const name = element(0x30, element(0x31, element(0x30, COMMON_NAME, element(0x0c, Buffer.from(options.name ?? 'asked for')))));
  const information = element(0x30, Buffer.from([2, 1, 0]), name, publicKey, Buffer.from([0xa0, 0]));
  const signer = options.signer ?? privateKey;
  const signature = sign('sha256', information, signer);
  const algorithmIdentifier = signer.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256;
  return { privateKey, publicKey, csr: element(0x30, information, algorithmIdentifier, element(0x03, Buffer.from([0]), signature)) };
}
