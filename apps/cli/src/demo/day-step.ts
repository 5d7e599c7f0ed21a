import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MerkleRoot, leafHash } from '#libs/journal';
import { AppError, RESULT_CLASS_NAMES, RESULT_CLASSES, type ResultClass, toHex } from '#libs/platform/domain';
import type { Demo } from './context.js';
import { makeDay, type Plan, type TruthHead } from './generator.js';
import { readNdjson } from './ndjson.js';

interface ShownStatus {
  readonly state: string;
  readonly reason: string | null;
  readonly lines: number;
  readonly linesDone: number;
}

interface ShownResults {
  readonly lines: number;
  readonly files: readonly { readonly name: string; readonly digest: string }[];
  readonly result: { readonly merkleRoot: string; readonly resultDigest: string };
}

/** A line of the result file. */
interface Verdict {
  readonly class: ResultClass;
  readonly file: string;
  readonly line: number;
}

export interface Day {
  readonly runId: string;
  readonly truthFile: string;
  readonly recordsPerSecond: number;
}

const SOURCE = 'truth file of the generator, closed to the verifying processes';

/** A settlement day arrives in files, is verified by the worker, and every verdict is compared with the truth. */
export async function dayStep(demo: Demo, plan: Plan, reportSigner: string): Promise<Day> {
  const { client } = demo;
  await client.call('cards.register', { cards: plan.cards.map(({ number, ...card }) => ({ cardNumber: number, ...card })) });
  for (const cancellation of plan.cancellations) await client.call('cards.cancel', cancellation);
  const truthFile = join(demo.work, 'truth.ndjson');
  const made = join(demo.work, 'day');
  demo.say(`生成 ${demo.records} 笔已签名的结算交易`, `signing ${demo.records} settlement transactions`);
  await makeDay(demo, made, truthFile);
  const inbox = demo.state.file('inbox', `demo-${demo.series}`);
  await mkdir(demo.state.folder('inbox'), { recursive: true });
  await rename(made, inbox);
  await demo.rig.afterDay?.(demo, inbox, truthFile);

  const [head] = readNdjson<TruthHead>(truthFile);
  if (head === undefined) throw new Error('the truth file is empty');
  const started = performance.now();
  const files = head.files.map((file) => ({ path: join(inbox, file.name), format: file.format }));
  const runId = await client.call<string>('verification.submit', { files, reportSigner });
  await follow(demo, runId);
  const seconds = (performance.now() - started) / 1_000;
  demo.say(`重新验签 ${head.records} 笔，用时 ${seconds.toFixed(1)} 秒`, `${head.records} records verified again in ${seconds.toFixed(1)} s`);
  await compare(demo, runId, truthFile, head, inbox);
  return { runId, truthFile, recordsPerSecond: head.records / seconds };
}

async function follow(demo: Demo, runId: string): Promise<void> {
  const progress = demo.progress('重新验签', 'verified again');
  for (;;) {
    const status = await demo.client.call<ShownStatus>('verification.status', { runId });
    progress(status.linesDone, status.lines);
    if (status.state === 'failed') throw new AppError('RUN_FAILED', { run: runId, reason: status.reason ?? '' });
    if (status.state === 'done') return;
    await sleep(200);
  }
}

async function compare(demo: Demo, runId: string, truthFile: string, head: TruthHead, inbox: string): Promise<void> {
  const { checks } = demo;
  const results = await demo.client.call<ShownResults>('verification.results', { runId });
  const resultFile = demo.state.file('evidence', results.result.resultDigest.slice(0, 2), results.result.resultDigest.slice(2));
  await demo.rig.afterRun?.(demo, resultFile, inbox);
  const verdicts = readNdjson<Verdict>(resultFile);
  const truth = new Map(readNdjson<{ file: string; line: number; class: string }>(truthFile).slice(1).map((each) => [`${each.file}:${each.line}`, each.class]));
  checks.add('day.records', head.records, verdicts.length, SOURCE);
  for (const name of RESULT_CLASS_NAMES) {
    const expected = head.counts[name] ?? 0;
    checks.add(`verdict.${name}`, expected, verdicts.filter((verdict) => verdict.class === name).length, `${RESULT_CLASSES[name].text.zh}; ${SOURCE}`);
  }
  const differing = verdicts.filter((verdict) => verdict.class !== (truth.get(`${verdict.file}:${verdict.line}`) ?? 'OK'));
  checks.add('verdicts.exact', 0, differing.length, `line by line; ${SOURCE}`);

  const tree = new MerkleRoot();
  for (const line of (await readWhole(resultFile)).toString('utf8').split('\n').slice(0, -1)) tree.add(leafHash(Buffer.from(line)));
  checks.add('result.merkle-root', toHex(tree.root()), results.result.merkleRoot, 'RFC 9162 2.1.1 over the result file');
  for (const file of results.files) {
    const digest = toHex(createHash('sha256').update(await readWhole(join(inbox, file.name))).digest());
    checks.add(`evidence.${file.name.replace(/^settlement-\d+-/, '')}`, digest, file.digest, 'SHA-256 of the file as handed in');
  }
}

async function readWhole(path: string): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of createReadStream(path) as AsyncIterable<Buffer>) blocks.push(block);
  return Buffer.concat(blocks);
}
