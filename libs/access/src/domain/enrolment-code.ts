import { hash } from 'node:crypto';
import { concatBytes } from '#libs/platform/domain';

/** Crockford's base 32: no I, L, O, U, so that a code can be read aloud and typed. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
export const CODE_BYTES = 16;
/** 128 bits in digits of five; the last holds three of them. */
const CODE_DIGITS = 26;

/** 16 random bytes as seven groups: `XXXX-XXXX-XXXX-XXXX-XXXX-XXXX-XX`. */
export function codeText(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('').padEnd(CODE_DIGITS * 5, '0');
  const digits = (bits.match(/.{5}/g) ?? []).map((five) => DIGITS[Number.parseInt(five, 2)]).join('');
  return (digits.match(/.{1,4}/g) ?? []).join('-');
}

/** As it is compared: without hyphens and spaces, with the letters that look like digits taken for these. Undefined: no code. */
export function typedCode(text: string): string | undefined {
  const digits = text.toUpperCase().replace(/[-\s]/g, '').replace(/[IL]/g, '1').replace(/O/g, '0');
  return digits.length === CODE_DIGITS && [...digits].every((digit) => DIGITS.includes(digit)) ? digits : undefined;
}

/** What is stored of a code. */
export function codeDigest(digits: string): string {
  return hash('sha256', `hufu/enrolment-code/1\0${digits}`, 'hex').toUpperCase();
}

/**
 * The challenge that the new key signs: made of the code, which is random, secret, used once and short-lived, so that nothing has to be
 * kept between the two requests of an enrolment.
 */
export function enrolmentChallenge(digits: string): Uint8Array {
  return hash('sha256', concatBytes(new TextEncoder().encode('hufu/enrolment-challenge/1\0'), new TextEncoder().encode(digits)), 'buffer');
}

/** A digest of a key in groups of four, as two persons compare it aloud. */
export function digestGroups(digest: string): string {
  return (digest.match(/.{4}/g) ?? []).join(' ');
}
