import { visibleText } from '#libs/platform/domain';
import type { ApprovalTerms } from './approval.js';
import type { SubjectLine } from './subject-lines.js';

/** Narrower than any terminal: a value that were broken by the terminal could pretend to be the next line. */
const NAME_CELLS = 34;
const VALUE_CELLS = 40;

/** What an approval adds to its subject. */
export function termsLines({ approver, method, policyVersion, notAfter, ownerDocument }: Omit<ApprovalTerms, 'nonce' | 'decision'>): SubjectLine[] {
  const line = (zh: string, en: string, value: string): SubjectLine => ({ name: { zh, en }, value });
  return [
    line('签名人', 'signed as', approver),
    line('方式', 'method', method),
    line('策略版本', 'policy version', String(policyVersion)),
    line('批准有效至', 'approval until', notAfter),
    ...(ownerDocument === undefined ? [] : [line('批件编号', "owner's document", ownerDocument.number), line('批件摘要', 'digest of the scan', ownerDocument.digest)]),
  ];
}

/**
 * The lines for a terminal: name │ value, what is long on further lines that begin with ↳. Nothing in a name or value can begin a line,
 * move the cursor, turn the direction of the text or hide.
 */
export function terminalLines(lines: readonly SubjectLine[]): string[] {
  return lines.flatMap(({ name, value }) => {
    const [names, values] = [pieces(visibleText(`${name.zh} ${name.en}`), NAME_CELLS), pieces(visibleText(value), VALUE_CELLS)];
    return Array.from({ length: Math.max(names.length, values.length) }, (_, n) => `${n === 0 ? ' ' : '↳'} ${padded(names[n] ?? '')} │ ${values[n] ?? ''}`);
  });
}

function pieces(text: string, most: number): string[] {
  const all: string[] = [];
  let [piece, cells] = ['', 0];
  for (const character of text) {
    if (cells + cellsOf(character) > most) {
      all.push(piece);
      [piece, cells] = ['', 0];
    }
    piece += character;
    cells += cellsOf(character);
  }
  return [...all, piece];
}

function padded(name: string): string {
  const cells = [...name].reduce((sum, character) => sum + cellsOf(character), 0);
  return name + ' '.repeat(NAME_CELLS - cells);
}

/** Two for what East Asian terminals show wide (UAX 11); counting one too many only breaks a line earlier. */
function cellsOf(character: string): number {
  return (character.codePointAt(0) as number) >= 0x1100 ? 2 : 1;
}
