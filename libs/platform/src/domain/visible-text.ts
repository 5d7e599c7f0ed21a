/**
 * Everything that a terminal or a browser acts on instead of showing it: controls (C0, C1, DEL), marks of direction and other format
 * characters, line and paragraph separators, spaces that are not U+0020, marks that overprint, what is unassigned or private, halves of
 * surrogate pairs. And the backslash, so that what is escaped cannot be mistaken for what was written.
 */
const INVISIBLE = /[\p{C}\p{Z}\p{M}\\]/gu;

/** The text with such characters as \u{202E}. Different texts stay different. */
export function visibleText(text: string): string {
  return text.replace(INVISIBLE, (character) => (character === ' ' ? ' ' : `\\u{${(character.codePointAt(0) as number).toString(16).toUpperCase()}}`));
}
