import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { resolve, join } from 'node:path';
import { writeFileAtomic } from '#libs/platform';

/** What `./hufu` (sh) keeps in the state folder: not state, so `--clean` leaves it. */
const KEPT_BY_CLEAN = new Set(['runtime', 'runtime.new', 'lock', 'test', 'clean-begun']);

const FOLDERS = ['config', 'secrets', 'pg', 'hsm', 'run', 'inbox', 'evidence', 'anchors', 'reports', 'demo', 'logs'] as const;
export type StateFolderName = (typeof FOLDERS)[number];

/**
 * The state folder (`HUFU_HOME`, default `.hufu` in the checkout): one folder per kind of thing, each 0700.
 * config: one JSON file per process · secrets: database passwords · pg: the embedded cluster · hsm: tokens, PIN files,
 * latches · run: sockets · inbox: settlement files to hand in · evidence: files as received · anchors: signed heads of
 * the journal · reports · demo: what the
 * demo's generator made · logs. `lock` says who runs from it.
 */
export class StateFolder {
  readonly home: string;

  constructor(home: string) {
    this.home = resolve(home);
  }

  /** Makes the folder itself, 0700. One that exists keeps its mode: it may hold more than ours. */
  create(): void {
    if (existsSync(this.home)) return;
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    chmodSync(this.home, 0o700);
  }

  /** Makes what is missing, after finishing a `--clean` that was cut short. */
  prepare(): void {
    this.create();
    if (existsSync(this.cleanMark)) this.clean();
    for (const name of FOLDERS) {
      mkdirSync(this.folder(name), { recursive: true, mode: 0o700 });
      chmodSync(this.folder(name), 0o700);
    }
  }

  /**
   * Removes all state, keeps the runtime. A mark stands while it works: a start that finds one ends the work first, so
   * that no half of a database meets half of a token.
   */
  clean(): void {
    this.create();
    writeFileAtomic(this.cleanMark, '');
    for (const name of readdirSync(this.home)) {
      if (!KEPT_BY_CLEAN.has(name)) rmSync(join(this.home, name), { recursive: true, force: true });
    }
    rmSync(this.cleanMark);
  }

  get lockFile(): string {
    return join(this.home, 'lock');
  }

  folder(name: StateFolderName): string {
    return join(this.home, name);
  }

  file(name: StateFolderName, ...path: string[]): string {
    return join(this.home, name, ...path);
  }

  /** The folder of `./hufu test`, with a cluster of its own, so that tests run beside a product that is up. */
  get testHome(): string {
    return join(this.home, 'test');
  }

  private get cleanMark(): string {
    return join(this.home, 'clean-begun');
  }
}
