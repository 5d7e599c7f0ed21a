import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from '../../../apps/cli/src/demo/context.js';
import { flipByte, rewrite } from './spoil.js';

/**
 * A signature with one wrong bit, and a truth that claims one line more of every class; then the files in the inbox and the
 * result file change behind the product's back.
 */
export const rig: Rig = {
  async afterDay(_demo, inbox, truthFile) {
    const faulty = new Set(readFileSync(truthFile, 'utf8').split('\n').filter((line) => line.includes('-01.ndjson')).map((line) => /"line":(\d+)/.exec(line)?.[1]));
    const name = readdirSync(inbox).find((each) => each.endsWith('-01.ndjson')) ?? '';
    rewrite(join(inbox, name), (text) => {
      const lines = text.split('\n');
      const at = lines.findIndex((_line, i) => !faulty.has(String(i + 1)));
      lines[at] = (lines[at] ?? '').replace(/("cainfo":"[A-Za-z0-9+/]{20})(.)/, (_all, head: string, one: string) => `${head}${one === 'A' ? 'B' : 'A'}`);
      return lines.join('\n');
    });
    rewrite(truthFile, (text) => {
      const [head, ...lines] = text.split('\n');
      const claim = JSON.parse(head ?? '') as { records: number; counts: Record<string, number> };
      const counts = Object.fromEntries(Object.entries(claim.counts).map(([each, count]) => [each, count + 2]));
      return [JSON.stringify({ ...claim, records: claim.records + 1, counts }), ...lines].join('\n');
    });
  },

  async afterRun(_demo, resultFile, inbox) {
    for (const name of readdirSync(inbox)) flipByte(join(inbox, name), 2);
    chmodSync(resultFile, 0o600);
    rewrite(resultFile, (text) => text.replace(/"tx":"([^"]+)([0-9])"/, (_all, head: string, last: string) => `"tx":"${head}${last === '0' ? '1' : '0'}"`));
  },
};

/** Rows that must fail, and no others. */
export const fails = [/^day\./, /^verdict\./, /^verdicts\./, /^result\./, /^evidence\./];
