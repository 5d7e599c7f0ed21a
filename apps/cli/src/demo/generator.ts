import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '#libs/platform';
import type { Demo } from './context.js';

/** What the generator of test/load says of the subjects it made (plan.json). */
export interface Plan {
  readonly day: string;
  readonly institutions: readonly { readonly code: string; readonly name: string; readonly region: string }[];
  readonly terminals: readonly { readonly number: string; readonly institutionCode: string }[];
  readonly cards: readonly { readonly number: string; readonly region: string; readonly activeFrom: string }[];
  readonly cancellations: readonly { readonly cardNumber: string; readonly effectiveAt: string }[];
  readonly revocations: readonly { readonly id: string; readonly effectiveAt: string; readonly reason: string }[];
}

/** A certificate to enrol (requests.ndjson). */
export interface PlannedRequest {
  readonly id: string;
  readonly profile: string;
  readonly holder: { readonly kind: string; readonly id: string };
  readonly subject: object;
  readonly csr: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly role: string;
}

export interface ForeignCa {
  readonly caCertificates: readonly string[];
  readonly certificates: readonly string[];
}

/** First line of the truth file; the others are {file, line, class} of every line that is not OK. */
export interface TruthHead {
  readonly records: number;
  readonly files: readonly { readonly name: string; readonly format: string; readonly lines: number }[];
  readonly counts: Readonly<Record<string, number>>;
}

export function subjectsFolder(demo: Demo): string {
  return join(demo.work, 'subjects');
}

/** Fewer subjects for small demonstrations, so that a thousand records do not wait for thousands of keys. */
function population(records: number): { hospitals: number; rsa: number; terminals: number; cards: number } {
  return records >= 20_000 ? { hospitals: 370, rsa: 100, terminals: 400, cards: 2_000 } : { hospitals: 37, rsa: 10, terminals: 40, cards: 400 };
}

/** Everybody's key pairs and requests, made outside the product by a program that shares no code with it. */
export async function makeSubjects(demo: Demo): Promise<Plan> {
  const numbers = Object.entries(population(demo.records)).flatMap(([name, value]) => [`--${name}`, String(value)]);
  await generator(demo, ['subjects', '--out', subjectsFolder(demo), '--seed', String(demo.seed), '--series', String(demo.series), ...numbers]);
  return JSON.parse(readFileSync(join(subjectsFolder(demo), 'plan.json'), 'utf8')) as Plan;
}

/** The settlement files of one day, with planted faults; where they are stands in `truth` alone. */
export async function makeDay(demo: Demo, folder: string, truth: string): Promise<void> {
  await generator(demo, [
    'day', '--subjects', subjectsFolder(demo), '--out', folder, '--truth', truth, '--seed', String(demo.seed), '--records', String(demo.records), '--files', '4',
  ]);
}

function generator(demo: Demo, args: readonly string[]): Promise<void> {
  const program = join(demo.checkout, 'dist', 'test', 'load', 'settlement-day.js');
  return new Promise((resolve, reject) => {
    let said = '';
    // Its stdin is our pipe; it makes files and ends.
    const child = spawn(process.execPath, [program, ...args], { env: childEnvironment(), stdio: ['pipe', 'ignore', 'pipe'] });
    child.stderr?.on('data', (piece: Buffer) => void (said += piece.toString()));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`settlement-day ${args[0]} ended with ${code}: ${said}`))));
  });
}
