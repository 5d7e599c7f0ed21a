import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeReport } from '../report-files.js';
import type { Certificates } from './certificate-step.js';
import type { Demo } from './context.js';
import type { Day } from './day-step.js';
import { runTool } from './tool.js';

/** Words that an audit officer looks for on the pages. */
const WORDS = ['重新验签报告', '验签失败', '重复交易'];

/** The signed report, read as its recipients read it: by OpenSSL, pdftotext and pdffonts. Returns where it lies. */
export async function reportStep(demo: Demo, day: Day, certificates: Certificates): Promise<string> {
  const { checks } = demo;
  const folder = demo.state.file('reports', day.runId);
  const files = await writeReport(demo.client, day.runId, folder);
  await demo.rig.afterReport?.(demo, files);

  for (const [name, content, cms] of [
    ['pdf', files.pdf, files.pdfCms],
    ['json', files.json, files.jsonCms],
  ] as const) {
    const verified = await runTool('openssl', [
      'cms', '-verify', '-binary', '-inform', 'DER', '-in', cms, '-content', content, '-CAfile', certificates.rootFile, '-purpose', 'any', '-out', '/dev/null',
    ]);
    checks.contains(`report.${name}.signature`, 'CMS Verification successful', verified.text, 'openssl cms -verify (RFC 5652)');
  }
  const text = (await runTool('pdftotext', ['-layout', files.pdf, '-'])).text;
  checks.add('report.words', WORDS.join(' '), WORDS.filter((word) => text.includes(word)).join(' '), 'pdftotext');
  const fonts = (await runTool('pdffonts', [files.pdf])).text.trim().split('\n').slice(2);
  const embedded = fonts.filter((line) => /\s(yes|no)\s+(yes|no)\s+(yes|no)\s+\d+\s+\d+$/.exec(line)?.[1] === 'yes');
  checks.add('report.fonts', 'all embedded', fonts.length > 0 && embedded.length === fonts.length ? 'all embedded' : `${embedded.length} of ${fonts.length} embedded`, 'pdffonts');

  const again = await writeReport(demo.client, day.runId, join(demo.work, 'report-again'));
  const same = (['pdf', 'json', 'pdfCms', 'jsonCms'] as const).filter((part) => readFileSync(files[part]).equals(readFileSync(again[part])));
  checks.add('report.same-bytes', 'pdf json pdfCms jsonCms', same.join(' '), 'rendered again from the run');
  return folder;
}
