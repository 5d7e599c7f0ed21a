/** Offset of the first byte beyond ASCII; undefined when there is none. */
export function firstNotAscii(bytes: Uint8Array): number | undefined {
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] as number) >= 0x80) return at;
  return undefined;
}

/** Offset of the first character that is not valid UTF-8 (RFC 3629); undefined when all are. */
export function firstNotUtf8(bytes: Uint8Array): number | undefined {
  for (let at = 0; at < bytes.length; ) {
    if ((bytes[at] as number) < 0x80) {
      at++;
      continue;
    }
    const length = utf8Length(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return undefined;
}

/** RFC 3629 section 4: first byte → length and the range of the second byte, which rules out overlong forms and surrogates. */
function utf8Length(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1];
  if (second === undefined || second < lowest || second > highest) return 0;
  for (let i = at + 2; i < at + length; i++) {
    const byte = bytes[i];
    if (byte === undefined || byte < 0x80 || byte > 0xbf) return 0;
  }
  return length;
}

/**
 * Offset of the first byte that breaks the structure of GB 18030-2022 (one byte 00–7F, two bytes 81–FE 40–7E/80–FE, four
 * bytes 81–FE 30–39 81–FE 30–39) or is a control character; undefined when all is well. No byte of a longer character is
 * below 0x30, so commas, quotes and line feeds can be found byte by byte.
 */
export function firstNotGb18030(bytes: Uint8Array): number | undefined {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    if (first < 0x80) {
      if (first < 0x20 || first === 0x7f) return at;
      at++;
      continue;
    }
    const length = gb18030Length(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return undefined;
}

function gb18030Length(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  const second = bytes[at + 1];
  if (first === 0x80 || first === 0xff || second === undefined) return 0;
  if ((second >= 0x40 && second <= 0x7e) || (second >= 0x80 && second <= 0xfe)) return 2;
  const third = bytes[at + 2];
  const fourth = bytes[at + 3];
  if (second < 0x30 || second > 0x39 || third === undefined || fourth === undefined) return 0;
  return third >= 0x81 && third <= 0xfe && fourth >= 0x30 && fourth <= 0x39 ? 4 : 0;
}
