import { createPrivateKey, generateKeyPairSync, hash, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { AppError, type SecretBytes } from '#libs/platform/domain';
import { encryptPkcs8, IV_BYTES, SALT_BYTES } from './key-encryption.js';
import { writeNewFile } from './new-file.js';

const CURVE = 'prime256v1';
const ENCRYPTED = '-----BEGIN ENCRYPTED PRIVATE KEY-----';
const OTHERS = 0o077;

/** Makes a P-256 pair, whose private half exists in clear in this process's memory alone. Returns SubjectPublicKeyInfo, DER. */
export function makeKeyFile(path: string, passphrase: SecretBytes): Uint8Array {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: CURVE });
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  try {
    writeNewFile(path, passphrase.reveal((bytes) => encryptPkcs8(pkcs8, bytes, randomBytes(SALT_BYTES), randomBytes(IV_BYTES))));
  } finally {
    pkcs8.fill(0);
  }
  return Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }));
}

/** Looks at the file before anybody is asked for a passphrase. Throws KEY_FILE_UNREADABLE. */
export function readKeyFile(path: string): Uint8Array {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) throw unreadable(path, 'no such file');
  if ((stat.mode & OTHERS) !== 0) throw unreadable(path, `mode ${(stat.mode & 0o777).toString(8)}, wanted 600`);
  const pem = readFileSync(path);
  if (!pem.toString('latin1').startsWith(ENCRYPTED)) throw unreadable(path, 'not an encrypted PKCS#8 key in PEM');
  return pem;
}

/** Throws KEY_FILE_UNREADABLE. */
export function openKey(path: string, pem: Uint8Array, passphrase: SecretBytes): KeyObject {
  const key = passphrase.reveal((bytes) => {
    try {
      return createPrivateKey({ key: Buffer.from(pem), format: 'pem', passphrase: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) });
    } catch (error) {
      throw new AppError('KEY_FILE_UNREADABLE', { file: path, reason: 'wrong passphrase, or damaged' }, { cause: error });
    }
  });
  if (key.asymmetricKeyDetails?.namedCurve !== CURVE) throw unreadable(path, 'not a P-256 key');
  return key;
}

/** What people compare: eight groups of eight. */
export function digestGroups(spki: Uint8Array): string {
  return (hash('sha256', spki, 'hex').toUpperCase().match(/.{8}/g) ?? []).join(' ');
}

function unreadable(file: string, reason: string): AppError {
  return new AppError('KEY_FILE_UNREADABLE', { file, reason });
}
