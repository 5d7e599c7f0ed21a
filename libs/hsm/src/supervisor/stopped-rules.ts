import { AppError } from '#libs/platform/domain';
import { isStoppable } from '../domain/authority.js';
import { AppendLog } from './append-log.js';

/** Rules of the policy under which nothing runs. A line of the log says `stop RULE` or `start RULE`; the last one of a rule counts. */
export class StoppedRules {
  readonly #stopped = new Set<string>();
  readonly #log: AppendLog;

  constructor(path: string) {
    this.#log = new AppendLog(path, (line) => {
      const [what, rule = ''] = line.split(' ');
      if (what === 'stop') this.#stopped.add(rule);
      else this.#stopped.delete(rule);
    });
  }

  close(): void {
    this.#log.close();
  }

  list(): string[] {
    return [...this.#stopped].sort();
  }

  /** Throws RULE_STOPPED. */
  require(rule: string): void {
    if (this.#stopped.has(rule)) throw new AppError('RULE_STOPPED', { rule });
  }

  /** Counts at once and is on disk when it resolves. Throws REQUEST_INVALID. */
  async stop(rule: string): Promise<void> {
    if (!isStoppable(rule)) throw new AppError('REQUEST_INVALID', { reason: `${rule} cannot be stopped` });
    if (this.#stopped.has(rule)) return;
    this.#stopped.add(rule);
    await this.#log.append(`stop ${rule}`);
  }

  /** On disk before it counts. */
  async start(rule: string): Promise<void> {
    if (!this.#stopped.has(rule)) return;
    await this.#log.append(`start ${rule}`);
    this.#stopped.delete(rule);
  }
}
