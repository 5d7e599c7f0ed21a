/** The part of pdfkit 0.20's EmbeddedFont that is looked into here; its types do not show it. */
interface EmbeddedFont {
  readonly scale: number;
  readonly font: { glyphForCodePoint(codePoint: number): { readonly advanceWidth: number } };
  layoutRun(text: string): unknown;
}

/**
 * One glyph for each code point, side by side: no kerning, no substitution. Chinese, Latin letters and figures need no
 * shaping, the widths of a text are then exactly the sum of its characters', and thousands of rows are laid out several
 * times faster than through the font's tables. Acts on the current font of `doc`.
 */
export function usePlainLayout(doc: PDFKit.PDFDocument): void {
  const embedded = (doc as unknown as { readonly _font: EmbeddedFont })._font;
  embedded.layoutRun = (text) => {
    const glyphs = Array.from(text, (character) => embedded.font.glyphForCodePoint(character.codePointAt(0) as number));
    const positions = glyphs.map((glyph) => {
      const width = glyph.advanceWidth * embedded.scale;
      return { xAdvance: width, yAdvance: 0, xOffset: 0, yOffset: 0, advanceWidth: width };
    });
    return { glyphs, positions, advanceWidth: positions.reduce((sum, position) => sum + position.xAdvance, 0) };
  };
}
