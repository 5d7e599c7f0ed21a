import { parseArgs } from 'node:util';
import { makeDay } from './settlement-day/day.js';
import { makeSubjects } from './settlement-day/subjects.js';

/**
 * Makes one settlement day for tests and demonstrations, with keys of its own. Two phases, since certificates are issued
 * in between by the scheme (requests.ndjson in, issued.ndjson out):
 *
 *   settlement-day subjects --out DIR --seed N [--series 0] [--day yyyy-MM-dd] [--hospitals 370] [--rsa 100] [--terminals 400] [--cards 2000]
 *   settlement-day day --subjects DIR --out DIR --truth FILE --seed N [--records 100000] [--files 4]
 *
 * Prints one JSON object. It shares no code with the product, so that a fault cannot cancel out.
 */
async function main(): Promise<void> {
  const [phase, ...args] = process.argv.slice(2);
  const { values } = parseArgs({
    args,
    options: {
      out: { type: 'string' },
      seed: { type: 'string', default: '1' },
      day: { type: 'string' },
      series: { type: 'string', default: '0' },
      hospitals: { type: 'string', default: '370' },
      rsa: { type: 'string', default: '100' },
      terminals: { type: 'string', default: '400' },
      cards: { type: 'string', default: '2000' },
      subjects: { type: 'string' },
      truth: { type: 'string' },
      records: { type: 'string', default: '100000' },
      files: { type: 'string', default: '4' },
    },
  });
  const need = (name: 'out' | 'subjects' | 'truth'): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  const started = performance.now();
  if (phase === 'subjects') {
    const { seed, day = dayBeforeYesterday() } = values;
    const numbers = { hospitals: Number(values.hospitals), rsa: Number(values.rsa), terminals: Number(values.terminals), cards: Number(values.cards) };
    await makeSubjects({ out: need('out'), seed, day, series: Number(values.series), ...numbers });
    print({ phase, seed, day, ...numbers, seconds: secondsSince(started) });
  } else if (phase === 'day') {
    const head = makeDay({
      subjects: need('subjects'), out: need('out'), truth: need('truth'), seed: values.seed, records: Number(values.records), files: Number(values.files),
    });
    // Where the faults are stands in the truth file only.
    print({ phase, seed: head.seed, records: head.records, counts: head.counts, files: head.files.map(({ name, format }) => ({ name, format })), seconds: secondsSince(started) });
  } else {
    throw new Error('the first argument is `subjects` or `day`');
  }
}

/** A whole day and the revocations that follow it lie in the past, whatever the time zone. */
function dayBeforeYesterday(): string {
  return new Date(Date.now() - 48 * 3_600_000 + 8 * 3_600_000).toISOString().slice(0, 10);
}

function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1_000;
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`settlement-day: ${(error as Error).message}\n`);
  process.exit(1);
});
