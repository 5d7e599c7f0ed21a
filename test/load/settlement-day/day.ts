import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Author } from './author.js';
import { BORDERLINE_OK, FAULTS } from './faults.js';
import { CSV_HEADER_LINE, type Format, line, type Message } from './messages.js';
import { Random } from './random.js';

export interface DayOrder {
  /** The folder of `subjects`, with issued.ndjson in it. */
  readonly subjects: string;
  readonly out: string;
  readonly truth: string;
  readonly seed: string;
  readonly records: number;
  readonly files: number;
}

/** What stands in the first line of the truth file; the others are {file, line, class}, for every line that is not OK. */
export interface TruthHead {
  readonly form: 'settlement-day/truth/1';
  readonly seed: string;
  readonly records: number;
  readonly files: readonly { readonly name: string; readonly format: Format; readonly lines: number }[];
  readonly counts: Readonly<Record<string, number>>;
}

type Plant = { readonly resultClass: string; readonly make: (author: Author, format: Format) => Message };

/** Planted lines of each class: 20 at least for a real day, never fewer than 3. */
export function plantedPerClass(records: number): number {
  return records >= 20_000 ? Math.max(20, Math.round(records * 0.0003)) : Math.max(3, Math.round(records * 0.001));
}

const FLUSH_BYTES = 1_048_576;

/** Writes the day's files and the truth about them; streams, so that the number of records is free. */
export function makeDay(order: DayOrder): TruthHead {
  const random = new Random(`${order.seed}/day`);
  const author = new Author(order.subjects, random);
  mkdirSync(order.out, { recursive: true });
  const plants = placePlants(order.records, random);
  const files: TruthHead['files'][number][] = [];
  const counts: Record<string, number> = {};
  const truth: string[] = [];
  const day = author.plan.day.replaceAll('-', '');
  const perFile = Math.ceil(order.records / order.files);
  for (let fileNo = 0, record = 0; record < order.records; fileNo++) {
    const format: Format = fileNo % 2 === 0 ? 'ndjson' : 'csv-gb18030';
    const name = `settlement-${day}-${String(fileNo + 1).padStart(2, '0')}.${format === 'ndjson' ? 'ndjson' : 'csv'}`;
    const file = new LineFile(join(order.out, name));
    if (format !== 'ndjson') file.add(Buffer.from(CSV_HEADER_LINE));
    for (const end = Math.min(order.records, record + perFile); record < end; record++) {
      const plant = plants.get(record);
      const message = plant === undefined ? author.plain() : plant.make(author, format);
      file.add(line(message, format, random.next()));
      const resultClass = plant?.resultClass ?? 'OK';
      counts[resultClass] = (counts[resultClass] ?? 0) + 1;
      if (resultClass !== 'OK') truth.push(JSON.stringify({ file: name, line: file.lines, class: resultClass }));
    }
    file.close();
    files.push({ name, format, lines: file.lines - (format === 'ndjson' ? 0 : 1) });
  }
  const head: TruthHead = { form: 'settlement-day/truth/1', seed: order.seed, records: order.records, files, counts };
  writeFileSync(order.truth, `${[JSON.stringify(head), ...truth].join('\n')}\n`, { mode: 0o600 });
  return head;
}

/** Which lines are special, by their place in the day. */
function placePlants(records: number, random: Random): Map<number, Plant> {
  const each = plantedPerClass(records);
  const plants = new Map<number, Plant>();
  const places = random.sample((Object.keys(FAULTS).length + 3) * each, records);
  for (const [resultClass, ways] of Object.entries(FAULTS)) {
    for (let i = 0; i < each; i++) plants.set(places.pop() as number, { resultClass, make: ways[i % ways.length] as Plant['make'] });
  }
  for (let i = 0; i < each; i++) plants.set(places.pop() as number, { resultClass: 'OK', make: BORDERLINE_OK[i % BORDERLINE_OK.length] as Plant['make'] });
  for (let i = 0; i < each; i++) {
    const [one, other] = [places.pop() as number, places.pop() as number];
    placePair(plants, Math.min(one, other), Math.max(one, other), i % 3);
  }
  return plants;
}

/**
 * One transaction twice. The one that was received first stays, wherever it stands: every third pair has the later one
 * in front, and every third was received in the same millisecond, where the order of files and lines decides.
 */
function placePair(plants: Map<number, Plant>, first: number, second: number, way: number): void {
  let shared: Message | undefined;
  const offset = [5_000, -5_000, 0][way] as number;
  const message = (author: Author): Message => (shared ??= { ...author.plain(), receivedMs: author.moment(author.noonMs - 3_600_000, author.noonMs + 3_600_000) });
  const copy = (author: Author): Message => {
    const original = message(author);
    return { ...original, receivedMs: original.receivedMs + offset };
  };
  plants.set(first, { resultClass: offset < 0 ? 'DUPLICATE_TX' : 'OK', make: message });
  plants.set(second, { resultClass: offset < 0 ? 'OK' : 'DUPLICATE_TX', make: copy });
}

class LineFile {
  lines = 0;
  private readonly fd: number;
  private waiting: Buffer[] = [];
  private bytes = 0;

  constructor(path: string) {
    this.fd = openSync(path, 'w');
  }

  add(line: Buffer): void {
    this.waiting.push(line, Buffer.of(0x0a));
    this.bytes += line.length + 1;
    this.lines++;
    if (this.bytes >= FLUSH_BYTES) this.flush();
  }

  close(): void {
    this.flush();
    closeSync(this.fd);
  }

  private flush(): void {
    const block = Buffer.concat(this.waiting);
    for (let written = 0; written < block.length; ) written += writeSync(this.fd, block, written);
    this.waiting = [];
    this.bytes = 0;
  }
}
