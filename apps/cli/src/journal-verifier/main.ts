import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readPublicKey, reportLines, verifyFile } from '#libs/journal/verify';
import type { Bilingual } from '#libs/platform/domain';

/*
 * The verifier that a stranger gets: `./hufu journal bundle` makes one file of it and of everything it needs. It runs on Node alone,
 * reads the files that it is given and opens nothing else. Exit code 0: whole; 1: a fault; 2: not called or given what it needs.
 */
const USAGE = 'node hufu-journal-verify.mjs EXPORT --key PUBLIC-KEY [--anchor FILE …]';

function main(): number {
  const { values, positionals } = parseArgs({ options: { key: { type: 'string' }, anchor: { type: 'string', multiple: true, default: [] } }, allowPositionals: true });
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0 || values.key === undefined) throw new Error(USAGE);
  const started = performance.now();
  const report = verifyFile(file, {
    publicKey: readPublicKey(readFileSync(values.key)),
    anchorFiles: values.anchor,
    onProgress: (records) => say({ zh: `已核验 ${records} 条`, en: `${records} records verified` }),
  });
  reportLines(report, (performance.now() - started) / 1000).forEach(say);
  return report.fault === undefined ? 0 : 1;
}

function say({ zh, en }: Bilingual): void {
  process.stdout.write(zh === en ? `${en}\n` : `${zh} / ${en}\n`);
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
  process.exitCode = 2;
}
