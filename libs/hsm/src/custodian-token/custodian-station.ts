import type { ChildProcess } from 'node:child_process';
import { AppError, ERROR_TEXTS, type ErrorCode } from '#libs/platform/domain';
import type { WrappingKey } from '../domain/escrow.js';
import { forkAgent } from '../supervisor/fork-agent.js';
import type { CustodianAct, CustodianActs, CustodianObject, CustodianOrder, CustodianPlace, CustodianReport, ShareToOpen } from './custodian-orders.js';
import type { EnrolledToken } from './custodian-token.js';

/**
 * The station's side of one custodian's token: starts its process and gives it one act at a time. PINs that are handed in are wiped here
 * as soon as they are on their way. Throws AppError (ESCROW_*, PIN_REFUSED, HSM_*).
 */
export class CustodianStation {
  #last: Promise<unknown>;
  #failed: string | undefined;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, private readonly where: CustodianPlace) {
    this.#child = child;
    child.once('exit', (code, signal) => (this.#failed = `ended: ${signal ?? code}`));
    child.on('error', () => undefined);
    this.#last = this.#next().then(() => child.send(where));
  }

  /** `entry`: the program of apps/hsm that runs `runCustodianToken`. `environment`: what the module reads. */
  static start(entry: URL, where: CustodianPlace, environment: Record<string, string>): CustodianStation {
    return new CustodianStation(forkAgent(entry, environment), where);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async initialise(request: CustodianActs['initialise']): Promise<void> {
    await this.#act('initialise', request, [request.pin, request.soPin]);
  }

  enrol(request: CustodianActs['enrol']): Promise<EnrolledToken> {
    return this.#act('enrol', request, [request.pin]);
  }

  async trust(request: { soPin: Uint8Array; target: WrappingKey; heard: string }): Promise<void> {
    await this.#act('trust', request, [request.soPin]);
  }

  openShare(request: { pin: Uint8Array; share: ShareToOpen; target: WrappingKey }): Promise<Uint8Array> {
    return this.#act('openShare', request, [request.pin]);
  }

  inventory(request: CustodianActs['inventory']): Promise<CustodianObject[]> {
    return this.#act('inventory', request, [request.pin]);
  }

  async stop(): Promise<void> {
    if (this.#failed !== undefined) return;
    const exit = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.connected) this.#child.disconnect();
    await exit;
  }

  #act<A extends CustodianAct, T>(act: A, request: CustodianActs[A], secrets: readonly Uint8Array[]): Promise<T> {
    const answer = this.#last.then(async () => {
      const report = this.#next();
      this.#child.send({ act, request } as CustodianOrder, () => {
        for (const secret of secrets) secret.fill(0);
      });
      return report;
    });
    this.#last = answer.catch(() => undefined);
    return answer as Promise<T>;
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new AppError('HSM_DEVICE_DOWN', { device: this.where.place.device, reason: this.#failed ?? 'ended' }));
      if (this.#failed !== undefined) return ended();
      this.#child.once('exit', ended);
      this.#child.once('message', (report: CustodianReport) => {
        this.#child.off('exit', ended);
        if (report.kind === 'refused') reject(new AppError(Object.hasOwn(ERROR_TEXTS, report.code) ? (report.code as ErrorCode) : 'INTERNAL', report.details));
        else resolve(report.kind === 'done' ? report.result : undefined);
      });
    });
  }
}
