import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, ERROR_TEXTS, type ErrorCode, type Logger } from '#libs/platform';
import type { KeyClass } from '../domain/key-class.js';
import { vendorProfile } from '../domain/profiles.js';
import type { DeviceStatus } from '../hsm.js';
import type { DeviceConfig } from '../hsm-config.js';
import type { AgentReport } from '../ipc.js';
import { forkAgent, onReport, sendSecret } from './fork-agent.js';
import { readPin } from './pin-file.js';
import { ensureEmbeddedToken } from './token-folder.js';
import { agentSetting, tokenFilesPresent } from './token-place.js';

const START_SECONDS = 30;
const BACKOFF_LEAST_SECONDS = 1;
const BACKOFF_MOST_SECONDS = 60;
/** Up this long, a crash is a new one and not the next of a row. */
const STEADY_SECONDS = 60;
const LATCH_LOOK_SECONDS = 1;
const QUEUE_MOST = 512;

export interface AgentOptions {
  readonly stateDir: string;
  readonly agentEntry: URL;
  /** After this a running recipe counts as hung: the agent is killed and started anew. */
  readonly deadlineSeconds: number;
  readonly log: Logger;
}

interface Work {
  readonly recipe: string;
  readonly request: unknown;
  readonly classes: readonly KeyClass[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: AppError) => void;
}

/**
 * One device: its agent process, kept running with growing pauses, and the queue in front of it. One recipe runs at a time.
 * A crash or hang ends this agent and nothing else; what was queued is refused with HSM_DEVICE_DOWN and the caller's intent
 * tells what to settle.
 */
export class DeviceAgent {
  #state: DeviceStatus['state'] = 'starting';
  #reason = '';
  #tokenSerial = '';
  #tokenLabel = '';
  #child: ChildProcess | undefined;
  #queue: Work[] = [];
  #running: { readonly id: number; readonly work: Work; readonly timer: NodeJS.Timeout } | undefined;
  #nextId = 1;
  #backoffSeconds = BACKOFF_LEAST_SECONDS;
  #upSinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #settled!: () => void;
  /** Resolves when the first start has come to an end, good or bad. */
  readonly firstStart = new Promise<void>((resolve) => (this.#settled = resolve));

  constructor(
    private readonly config: DeviceConfig,
    private readonly options: AgentOptions,
  ) {}

  get latchFile(): string {
    return join(this.options.stateDir, `${this.config.device}.pin-latched`);
  }

  status(): DeviceStatus {
    return {
      device: this.config.device,
      state: this.#state,
      tokenSerial: this.#tokenSerial,
      tokenLabel: this.#tokenLabel,
      profile: this.config.profile,
      notEnforced: vendorProfile(this.config.profile).notEnforced,
      reason: this.#reason,
    };
  }

  start(): void {
    this.#launch().catch((error: unknown) => this.#retire('down', (error as Error).message, error));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      setTimeout(() => child.kill('SIGKILL'), 2000).unref();
      if (child.connected) child.disconnect();
    });
  }

  /** Throws the code that the state stands for (PIN_REFUSED, TOKEN_MISSING, HSM_DEVICE_DOWN), or the agent's refusal. */
  run(recipe: string, request: unknown, classes: readonly KeyClass[]): Promise<unknown> {
    if (this.#state !== 'up' && this.#state !== 'starting') return Promise.reject(this.#unavailable());
    if (this.#queue.length >= QUEUE_MOST) return Promise.reject(new AppError('HSM_DEVICE_DOWN', { device: this.config.device, reason: 'queue full' }));
    return new Promise((resolve, reject) => {
      this.#queue.push({ recipe, request, classes, resolve, reject });
      this.#pump();
    });
  }

  async #launch(): Promise<void> {
    if (this.#stopped) return;
    if (existsSync(this.latchFile)) return this.#retire('pinLatched', this.latchFile);
    this.#state = 'starting';
    this.#reason = '';
    const { config, options } = this;
    await ensureEmbeddedToken(config, options.stateDir, options.agentEntry);
    if (!tokenFilesPresent(config)) return this.#retire('missing', `no token in ${config.tokenDir}`);
    if (this.#stopped) return;
    const pin = readPin(config.pinFile);
    const { place, environment } = agentSetting(config, options.stateDir);
    const child = forkAgent(options.agentEntry, environment);
    this.#child = child;
    this.#timer = setTimeout(() => child.kill('SIGKILL'), START_SECONDS * 1000);
    onReport(child, (report) => {
      if (report.kind === 'awake') sendSecret(child, { kind: 'start', place, testKeys: config.testKeys, latchFile: this.latchFile, pin }, [pin]);
      else this.#hear(report);
    });
    child.on('error', () => undefined);
    child.on('exit', (code, signal) => {
      pin.fill(0);
      this.#ended(`agent ended: ${signal ?? `code ${code}`}`);
    });
  }

  #hear(report: AgentReport): void {
    switch (report.kind) {
      case 'up':
        clearTimeout(this.#timer);
        [this.#state, this.#tokenSerial, this.#tokenLabel] = ['up', report.tokenSerial, report.tokenLabel];
        this.#upSinceMs = performance.now();
        this.options.log.info('device up', { device: this.config.device, tokenSerial: report.tokenSerial, pid: this.#child?.pid });
        this.#settled();
        return this.#pump();
      case 'missing':
      case 'pinLatched':
      case 'failed':
        // The agent ends by itself after this; its exit does the rest.
        [this.#state, this.#reason] = [report.kind === 'failed' ? 'down' : report.kind, report.reason];
        return;
      case 'done':
        return this.#finish(report.id, (work) => work.resolve(report.result));
      case 'refused': {
        const code: ErrorCode = Object.hasOwn(ERROR_TEXTS, report.code) ? (report.code as ErrorCode) : 'INTERNAL';
        return this.#finish(report.id, (work) => work.reject(new AppError(code, report.details)));
      }
    }
  }

  #pump(): void {
    if (this.#state !== 'up' || this.#running !== undefined) return;
    const work = this.#queue.shift();
    if (work === undefined) return;
    const id = this.#nextId++;
    const timer = setTimeout(() => this.#hung(), this.options.deadlineSeconds * 1000);
    this.#running = { id, work, timer };
    this.#child?.send({ kind: 'run', id, recipe: work.recipe, request: work.request, classes: work.classes }, (error) => {
      // A closed channel is followed by the exit event, which refuses the work.
      if (error) this.options.log.warn('agent channel closed', { device: this.config.device });
    });
  }

  #finish(id: number, settle: (work: Work) => void): void {
    if (this.#running?.id !== id) return;
    clearTimeout(this.#running.timer);
    settle(this.#running.work);
    this.#running = undefined;
    this.#pump();
  }

  #hung(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.work.reject(new AppError('HSM_TIMEOUT', { device: this.config.device }));
    this.options.log.warn('agent hung, killed', { device: this.config.device, recipe: running?.work.recipe });
    this.#child?.kill('SIGKILL');
  }

  #ended(how: string): void {
    clearTimeout(this.#timer);
    this.#child = undefined;
    if (performance.now() - this.#upSinceMs > STEADY_SECONDS * 1000 && this.#state === 'up') this.#backoffSeconds = BACKOFF_LEAST_SECONDS;
    if (this.#state === 'up' || this.#state === 'starting') this.#retire('down', how);
    else this.#retire(this.#state, this.#reason);
  }

  /** No agent runs now: refuse what waits, and plan the next look. */
  #retire(state: 'missing' | 'pinLatched' | 'down', reason: string, error?: unknown): void {
    [this.#state, this.#reason] = [state, reason];
    const waiting = this.#queue.splice(0);
    if (this.#running !== undefined) {
      clearTimeout(this.#running.timer);
      waiting.unshift(this.#running.work);
      this.#running = undefined;
    }
    for (const { reject } of waiting) reject(this.#unavailable());
    this.#settled();
    if (this.#stopped) return;
    this.options.log.warn('device not up', { device: this.config.device, state, reason });
    if (error !== undefined) this.options.log.error('agent start failed', error, { device: this.config.device });
    if (state === 'pinLatched') return this.#waitForLatch();
    this.#timer = setTimeout(() => this.start(), this.#backoffSeconds * 1000);
    this.#backoffSeconds = Math.min(this.#backoffSeconds * 2, BACKOFF_MOST_SECONDS);
  }

  /** Only an operator takes the latch away; until then nobody logs in. */
  #waitForLatch(): void {
    this.#timer = setTimeout(() => {
      if (existsSync(this.latchFile)) this.#waitForLatch();
      else this.start();
    }, LATCH_LOOK_SECONDS * 1000);
  }

  #unavailable(): AppError {
    const { device } = this.config;
    if (this.#state === 'pinLatched') return new AppError('PIN_REFUSED', { device, latch: this.latchFile });
    if (this.#state === 'missing') return new AppError('TOKEN_MISSING', { device, reason: this.#reason });
    return new AppError('HSM_DEVICE_DOWN', { device, reason: this.#reason });
  }
}
