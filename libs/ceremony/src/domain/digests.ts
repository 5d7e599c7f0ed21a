import { hash } from 'node:crypto';
import { z } from 'zod';
import { type Bilingual, canonicalJson, type JsonValue } from '#libs/platform/domain';

/** Both digests of one content, as upper-case hex: SHA-256 for every tool, SM3 (GB/T 32905) for the assessor. */
export const Digests = z.strictObject({ sha256: z.string().regex(/^[0-9A-F]{64}$/), sm3: z.string().regex(/^[0-9A-F]{64}$/) });
export type Digests = z.infer<typeof Digests>;

export function digestsOfBytes(bytes: Uint8Array): Digests {
  return { sha256: hash('sha256', bytes, 'hex').toUpperCase(), sm3: hash('sm3', bytes, 'hex').toUpperCase() };
}

/** Of the canonical bytes (RFC 8785), so that spaces and the order of members do not count. */
export function digestsOf(value: JsonValue): Digests {
  return digestsOfBytes(canonicalJson(value));
}

export function sameDigests(a: Digests, b: Digests): boolean {
  return a.sha256 === b.sha256 && a.sm3 === b.sm3;
}

/** How a digest or a check value stands on screen and paper: groups of four characters. */
export function groups(hex: string): string {
  return (hex.match(/.{1,4}/g) ?? []).join(' ');
}

/** What a person typed: spaces, hyphens and case do not count. */
export function typedHex(text: string): string {
  return text.replace(/[\s-]/g, '').toUpperCase();
}

/**
 * How a hex character is said aloud. zh digits as the armed forces and railways say them (洞幺两三四五六拐八勾), since 一 and 七 sound alike in a
 * noisy room; A–F by their words of the ICAO alphabet. A rule of the house, printed on every sheet.
 */
const SPOKEN: Readonly<Record<string, Bilingual>> = {
  0: { zh: '洞', en: 'zero' }, 1: { zh: '幺', en: 'one' }, 2: { zh: '两', en: 'two' }, 3: { zh: '三', en: 'three' }, 4: { zh: '四', en: 'four' },
  5: { zh: '五', en: 'five' }, 6: { zh: '六', en: 'six' }, 7: { zh: '拐', en: 'seven' }, 8: { zh: '八', en: 'eight' }, 9: { zh: '勾', en: 'niner' },
  A: { zh: '阿尔法', en: 'alfa' }, B: { zh: '布拉沃', en: 'bravo' }, C: { zh: '查理', en: 'charlie' },
  D: { zh: '德尔塔', en: 'delta' }, E: { zh: '艾科', en: 'echo' }, F: { zh: '福克斯', en: 'foxtrot' },
};

/** One entry for each group of four, to be read aloud one group at a time. Throws a RangeError on anything but hex. */
export function spoken(hex: string): Bilingual[] {
  return (hex.match(/.{1,4}/g) ?? []).map((group) => {
    const words = [...group].map((character) => SPOKEN[character] ?? refuse(character));
    return { zh: words.map(({ zh }) => zh).join('·'), en: words.map(({ en }) => en).join(' ') };
  });
}

function refuse(character: string): never {
  throw new RangeError(`not upper-case hex: ${character}`);
}
