import { createCipheriv, scryptSync } from 'node:crypto';
import { derInteger, derOctetString, derOid, derSequence } from '#libs/platform/domain';

/**
 * scrypt (RFC 7914) as dear as OpenSSL reads it (32 MiB at most): 16 MiB, five times over, about 0.3 s. The function that Node's own
 * export uses is PBKDF2 with 2048 rounds, which a stolen file is no obstacle with.
 */
const SCRYPT = { N: 16_384, r: 8, p: 5 } as const;
const MEMORY_MOST = 64 * 1024 * 1024;
export const SALT_BYTES = 16;
export const IV_BYTES = 16;
const KEY_BYTES = 32;

/**
 * EncryptedPrivateKeyInfo as PEM (RFC 5958 3, PBES2 of RFC 8018 6.2 with scrypt and AES-256-CBC).
 * @param pkcs8 PrivateKeyInfo, DER. @param salt 16 bytes. @param iv 16 bytes.
 */
export function encryptPkcs8(pkcs8: Uint8Array, passphrase: Uint8Array, salt: Uint8Array, iv: Uint8Array): string {
  const key = scryptSync(passphrase, salt, KEY_BYTES, { ...SCRYPT, maxmem: MEMORY_MOST });
  try {
    const cipher = createCipheriv('aes-256-cbc', key, iv);
    const encrypted = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
    const derivation = derSequence(derOid('1.3.6.1.4.1.11591.4.11'), derSequence(derOctetString(salt), derInteger(SCRYPT.N), derInteger(SCRYPT.r), derInteger(SCRYPT.p), derInteger(KEY_BYTES)));
    const scheme = derSequence(derOid('2.16.840.1.101.3.4.1.42'), derOctetString(iv));
    const info = derSequence(derSequence(derOid('1.2.840.113549.1.5.13'), derSequence(derivation, scheme)), derOctetString(encrypted));
    const lines = Buffer.from(info).toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines.join('\n')}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
  } finally {
    key.fill(0);
  }
}
