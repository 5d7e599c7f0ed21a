import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, ERROR_TEXTS, type ErrorCode, isAppError } from '#libs/platform/domain';
import { type Logger, writeFileAtomic } from '#libs/platform/host';
import { Breaker } from '../domain/breaker.js';
import type { DeviceCounters } from '../domain/fleet-status.js';
import type { KeyClass } from '../domain/key-class.js';
import type { PinAnswer, PinQuestion } from '../domain/pin-question.js';
import { IDENTITY_NONCE_BYTES } from '../domain/token-identity.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { DeviceStatus } from '../hsm.js';
import type { DeviceConfig } from '../hsm-config.js';
import type { AgentReport, TokenDescription } from '../ipc.js';
import { AgentWatchdog } from './agent-watchdog.js';
import { AgentWork, type Work } from './agent-work.js';
import { forkAgent, onReport, sendSecret } from './fork-agent.js';
import { readPin, requirePinFile } from './pin-file.js';
import { PinLeave } from './pin-leave.js';
import { PinRecord } from './pin-record.js';
import { ensureEmbeddedToken } from './token-folder.js';
import type { Expectations, Shown, TokenPins } from './token-pins.js';
import { type AgentSetting, agentSetting, tokenFilesPresent } from './token-place.js';

const START_SECONDS = 30;
const BACKOFF_MOST_SECONDS = 60;
/** A device that was unplugged is no crash: its return is seen soon, however often it goes. */
const MISSING_LOOK_MOST_SECONDS = 5;
/** No agent runs, and the reason is more than a crash. */
const REFUSED_STATES = ['missing', 'pinLatched', 'moduleChanged', 'tokenReplaced'] as const;
type RefusedState = (typeof REFUSED_STATES)[number];
/** Up this long, a crash is a new one and not the next of a row. */
const STEADY_SECONDS = 10;
const LATCH_LOOK_SECONDS = 1;
/** Block the agent while the device makes or moves a key. */
const SLOW_RECIPES: ReadonlySet<string> = new Set(['generateKey', 'generateKeyPair', 'transferOpen', 'transferWrap', 'transferClose', 'transferAbort', 'importTestTransportKey', 'destroy', 'seal', 'escrowSplit', 'escrowTarget', 'escrowRecover', 'escrowAbort']);

export interface AgentOptions {
  readonly mode: 'production' | 'rehearsal';
  readonly stateDir: string;
  readonly agentEntry: URL;
  /** After this a running recipe counts as hung: the agent is killed and started anew. */
  readonly deadlineSeconds: number;
  readonly pingMs: number;
  readonly log: Logger;
  /** keyId → fingerprint as recorded. */
  readonly fingerprints: () => Readonly<Record<string, string>>;
  readonly pins: TokenPins;
  readonly onFingerprint: (device: string, keyId: string, value: string, keyClass: KeyClass) => void;
  /** A login was made; the device serves when the promise resolves. Rejects: it is taken down again. */
  readonly onUp: (agent: DeviceAgent, token: TokenDescription, shown: Shown) => Promise<void>;
}

/**
 * One device: its agent process, kept running with growing pauses, and the lanes in front of it. A crash or hang ends this agent and
 * nothing else; what it had is refused with HSM_DEVICE_DOWN, and the fleet or the caller's intent tells what becomes of it.
 */
export class DeviceAgent {
  readonly breaker = new Breaker();
  readonly counts = { requests: 0, items: 0, failures: 0, retriedElsewhere: 0, agentRestarts: -1, quarantines: 0, knownAnswerRuns: 0, errors: {} as Record<string, number> };
  /** Keys that the device holds; kept by the fleet. */
  readonly keys = new Set<string>();
  /** Right known answers since it was caught in a lie. */
  rightRuns = 0;
  /** What it lied about; survives its agent, so that a crash does not whitewash it. */
  #lie: string | undefined;
  #state: DeviceStatus['state'] = 'starting';
  #reason = '';
  #token: TokenDescription | undefined;
  readonly #pin: PinRecord;
  readonly #leave: PinLeave;
  readonly #work: AgentWork;
  #sessions = 0;
  #epoch = 0;
  #serving = false;
  #child: ChildProcess | undefined;
  #backoffSeconds = 0;
  #missingSeconds = 1;
  #upSinceMs = 0;
  /** What this agent's token has to sign. */
  #nonce: Uint8Array = new Uint8Array();
  #timer: NodeJS.Timeout | undefined;
  #watchdog: AgentWatchdog | undefined;
  #stopped = false;
  #closed = false;
  #lastAside: Promise<unknown> = Promise.resolve();
  #settled!: () => void;
  /** Resolves when the first start has come to an end, good or bad. */
  readonly firstStart = new Promise<void>((resolve) => (this.#settled = resolve));

  constructor(
    readonly config: DeviceConfig,
    readonly profile: VendorProfile,
    private readonly options: AgentOptions,
  ) {
    this.#pin = new PinRecord(join(options.stateDir, `${config.device}.pin.json`), config.pinFile);
    this.#leave = new PinLeave(config.device, this.#pin);
    this.#work = new AgentWork({
      device: config.device,
      sessions: profile.tuning.sessions,
      ratedItemsPerSecond: profile.tuning.ratedItemsPerSecond,
      deadlineSeconds: options.deadlineSeconds,
      isOpen: () => this.#state === 'up' || this.#state === 'quarantined',
      send: (id, work, online) => this.#send(id, work, online),
      overdue: (recipe) => this.kill(`${recipe} ran longer than ${options.deadlineSeconds} s`),
    });
  }

  get name(): string {
    return this.config.device;
  }

  get latchFile(): string {
    return join(this.options.stateDir, `${this.name}.pin-latched`);
  }

  get officerLatchFile(): string {
    return join(this.options.stateDir, `${this.name}.so-pin-latched`);
  }

  get token(): TokenDescription | undefined {
    return this.#token;
  }

  get tokenSerial(): string {
    return this.#token?.serial ?? '';
  }

  /** Takes requests: up, with right known answers, and its breaker closed. */
  get serves(): boolean {
    return this.#state === 'up' && this.#serving && this.breaker.state === 'closed';
  }

  /** Up in a moment: who asks may wait. With a PIN that waits for its leave it may take for ever. */
  get #isComing(): boolean {
    return this.#state === 'starting' && this.#leave.question === undefined;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Items sent or waiting: a known answer weighs little beside a batch of cards. */
  get outstanding(): number {
    return this.#work.outstanding;
  }

  get latency(): AgentWork['latency'] {
    return this.#work.latency;
  }

  figures(): { outstanding: number; queued: number; sessionsOpen: number; loginEpoch: number } {
    const { running, waiting } = this.#work.requests;
    return { outstanding: running + waiting, queued: waiting, sessionsOpen: this.#state === 'up' ? this.#sessions : 0, loginEpoch: this.#epoch };
  }

  counters(): DeviceCounters {
    return { ...this.counts, agentRestarts: Math.max(0, this.counts.agentRestarts), errors: { ...this.counts.errors } };
  }

  status(): DeviceStatus {
    return {
      device: this.name,
      group: this.config.group,
      state: this.#state,
      tokenSerial: this.tokenSerial,
      tokenLabel: this.#token?.label ?? '',
      profile: this.profile.name,
      notEnforced: this.profile.notEnforced,
      reason: this.#reason,
    };
  }

  start(): void {
    this.#launch().catch((error: unknown) => this.#retire('down', (error as Error).message, error));
  }

  /**
   * Does `work` while no agent of this device runs, and starts one again: for what only a process alone on the token may do, one
   * such work after another. What is asked of the device meanwhile is refused.
   */
  aside<T>(work: (setting: AgentSetting, options: AgentOptions) => Promise<T>): Promise<T> {
    const turn = this.#lastAside.then(() => this.#alone(work));
    this.#lastAside = turn.catch(() => undefined);
    return turn;
  }

  async #alone<T>(work: (setting: AgentSetting, options: AgentOptions) => Promise<T>): Promise<T> {
    await this.#end();
    try {
      return await work(agentSetting(this.config, this.profile, this.options.stateDir), this.options);
    } finally {
      if (!this.#closed) {
        this.#stopped = false;
        [this.#state, this.#reason] = ['starting', ''];
        this.start();
      }
    }
  }

  async stop(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#watchdog?.stop();
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      setTimeout(() => child.kill('SIGKILL'), 2000).unref();
      if (child.connected) child.disconnect();
    });
  }

  /** Throws the code that the state stands for (PIN_REFUSED, TOKEN_MISSING, HSM_DEVICE_DOWN), or the agent's refusal. */
  run(recipe: string, request: unknown, classes: readonly KeyClass[], online = true, items = 1): Promise<unknown> {
    if (!(this.#state === 'up' || this.#state === 'quarantined' || this.#isComing)) return Promise.reject(this.unavailable());
    return this.#work.add({ recipe, request, classes, items }, online);
  }

  /** It lied: nothing of what it still owes is released, and nobody but the known answers asks it. */
  quarantine(reason: string): void {
    if (this.#state !== 'up') return;
    [this.#state, this.#reason, this.#lie, this.rightRuns] = ['quarantined', reason, reason, 0];
    this.counts.quarantines++;
    this.options.log.error('device quarantined', new AppError('HSM_ANSWER_WRONG', { device: this.name, what: reason }));
    this.#work.refuseAll(new AppError('HSM_ANSWER_WRONG', { device: this.name, what: reason }));
  }

  release(): void {
    if (this.#state !== 'quarantined') return;
    [this.#state, this.#reason, this.#lie] = ['up', '', undefined];
    this.options.log.info('device released from quarantine', { device: this.name });
  }

  /** Ends the agent now; it is started anew. */
  kill(reason: string): void {
    this.#reason = reason;
    this.options.log.warn('agent killed', { device: this.name, reason });
    this.#child?.kill('SIGKILL');
    // Whoever waits is not kept until the kernel has buried the process.
    this.#serving = false;
    if (this.#state === 'up' || this.#state === 'quarantined') this.#state = 'down';
    this.#work.refuseAll(new AppError('HSM_DEVICE_DOWN', { device: this.name, reason }));
  }

  /** Throws what `unavailable` says unless a client may ask this device by its name. One that lied is asked by nobody. */
  requireReachable(): void {
    if (!(this.#state === 'up' || this.#isComing)) throw this.unavailable();
  }

  /** In one or two words for a list: why it does not serve, or `up`. */
  get condition(): string {
    if (this.#state !== 'up') return this.#state;
    if (this.breaker.state !== 'closed') return 'breaker open';
    return this.#serving ? 'up' : 'known answers awaited';
  }

  unavailable(): AppError {
    const device = this.name;
    if (this.#state === 'pinLatched') return new AppError('PIN_REFUSED', { device, latch: this.latchFile });
    if (this.#state === 'missing') return new AppError('TOKEN_MISSING', { device, reason: this.#reason });
    if (this.#state === 'moduleChanged') return new AppError('MODULE_CHANGED', { device, reason: this.#reason });
    if (this.#state === 'tokenReplaced') return new AppError('TOKEN_REPLACED', { device, reason: this.#reason, pin: this.options.pins.fileOf(device) });
    if (this.#state === 'quarantined') return new AppError('HSM_DEVICE_DOWN', { device, reason: `quarantined: ${this.#reason}` });
    return new AppError('HSM_DEVICE_DOWN', { device, reason: this.breaker.state === 'closed' ? this.#reason : 'breaker open' });
  }

  async #launch(): Promise<void> {
    if (this.#stopped) return;
    if (existsSync(this.latchFile)) {
      this.#leave.tell('refused');
      return this.#retire('pinLatched', this.latchFile);
    }
    this.#state = 'starting';
    this.#reason = '';
    const { config, profile, options } = this;
    await ensureEmbeddedToken(config, profile, options.stateDir, options.agentEntry);
    if (!tokenFilesPresent(config, profile)) return this.#retire('missing', `no token in ${config.tokenDir}`);
    if (this.#stopped) return;
    requirePinFile(config.pinFile);
    if (config.initialise) this.#pin.made();
    const { place, environment } = agentSetting(config, profile, options.stateDir);
    const child = forkAgent(options.agentEntry, options.mode === 'production' ? { ...environment, HUFU_PROFILE: 'production' } : environment);
    this.#child = child;
    this.#nonce = randomBytes(IDENTITY_NONCE_BYTES);
    this.counts.agentRestarts++;
    this.#timer = setTimeout(() => child.kill('SIGKILL'), START_SECONDS * 1000);
    onReport(child, (report) => {
      if (report.kind !== 'awake') return this.#hearOrEnd(child, report);
      child.send({ kind: 'start', place, profile, testKeys: config.testKeys, latchFile: this.latchFile, identityNonce: this.#nonce, fingerprints: options.fingerprints() }, () => undefined);
    });
    child.on('error', () => undefined);
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.#ended(`agent ended: ${signal ?? `code ${code}`}`);
    });
  }

  /** A state folder that cannot be written (disk full) costs this device its agent, not all devices their supervisor. */
  #hearOrEnd(child: ChildProcess, report: AgentReport): void {
    try {
      this.#hear(child, report);
    } catch (error) {
      this.options.log.error('agent report not handled', error, { device: this.name, report: report.kind });
      if (this.#child === child) this.kill(`${report.kind}: ${(error as Error).message}`);
    }
  }

  #hear(child: ChildProcess, report: AgentReport): void {
    if (this.#child !== child) return;
    this.#watchdog?.heard();
    switch (report.kind) {
      case 'token':
        return this.#found(child, report.serial);
      case 'up':
        return this.#up(child, report.token, report.sessions, { serial: report.token.serial, proof: report.identity, nonce: this.#nonce });
      case 'missing':
      case 'pinLatched':
      case 'moduleChanged':
      case 'failed':
        // The agent ends by itself after this; its exit does the rest.
        [this.#state, this.#reason] = [report.kind === 'failed' ? 'down' : report.kind, report.reason];
        if (report.kind === 'pinLatched') this.#leave.tell('refused');
        return;
      case 'gone':
        this.#countError(report.ckr);
        return this.kill(report.ckr);
      case 'pong':
        this.#sessions = report.sessionsOpen;
        this.#watchdog?.pong(report.oldestCall);
        return;
      case 'fingerprint':
        return this.options.onFingerprint(this.name, report.keyId, report.value, report.keyClass);
      case 'done':
        return this.#work.finish(report.id, (work) => work.resolve(report.result));
      case 'refused': {
        const code: ErrorCode = Object.hasOwn(ERROR_TEXTS, report.code) ? (report.code as ErrorCode) : 'INTERNAL';
        if (report.ckr !== undefined) this.#countError(report.ckr);
        this.#work.finish(report.id, (work) => work.reject(new AppError(code, report.details)));
        if (report.fatal) this.kill(report.ckr ?? code);
      }
    }
  }

  /** A PIN that this token has taken before is given at once; any other waits for whoever knows of all hosts. */
  #found(child: ChildProcess, tokenSerial: string): void {
    const fault = this.options.pins.serialFault(this.name, tokenSerial, this.#expected);
    if (fault !== undefined) return this.#replaced(child, fault);
    if (this.#leave.found(tokenSerial)) return this.#logIn(child);
    clearTimeout(this.#timer);
    this.#reason = 'waits for the leave to log in with a PIN that is new here';
    this.options.log.warn('leave to log in is awaited', { device: this.name, tokenSerial });
    this.#work.refuseAll(this.unavailable());
    this.#settled();
  }

  #logIn(child: ChildProcess): void {
    try {
      const pin = readPin(this.config.pinFile);
      sendSecret(child, { kind: 'login', pin }, [pin]);
    } catch (error) {
      // The PIN file is not as it should be.
      this.#reason = (error as Error).message;
      child.kill('SIGKILL');
    }
  }

  get pinQuestion(): PinQuestion | undefined {
    return this.#leave.question;
  }

  /** What the service says to `pinQuestion`. Throws HSM_REFUSED. */
  answerPin(answer: PinAnswer): void {
    const child = this.#child;
    const step = this.#leave.answer(answer, child !== undefined && this.#state === 'starting');
    if (step === 'latch') {
      writeFileAtomic(this.latchFile, `${JSON.stringify({ device: this.name, reason: 'this token has refused a PIN, on this host or another' })}\n`, 0o600);
      [this.#state, this.#reason] = ['pinLatched', this.latchFile];
      child?.kill('SIGKILL');
    } else if (step === 'logIn' && child !== undefined) {
      this.#reason = '';
      this.#timer = setTimeout(() => child.kill('SIGKILL'), START_SECONDS * 1000);
      this.#logIn(child);
    }
  }

  get #expected(): Expectations {
    return { identity: this.profile.identity !== undefined, uniqueSerial: !this.profile.notEnforced.includes('uniqueSerial') };
  }

  /** Not the token that this host knows: nobody asks it, and a right one is looked for with pauses. */
  #replaced(child: ChildProcess, reason: string): void {
    [this.#state, this.#reason, this.#serving] = ['tokenReplaced', reason, false];
    this.options.log.error('device refused', this.unavailable(), { device: this.name });
    this.#work.refuseAll(this.unavailable());
    child.kill('SIGKILL');
  }

  #up(child: ChildProcess, token: TokenDescription, sessions: number, shown: Shown): void {
    clearTimeout(this.#timer);
    this.#leave.proved(token.serial);
    const fault = this.options.pins.identityFault(this.name, shown, this.#expected);
    if (fault !== undefined) return this.#replaced(child, fault);
    [this.#state, this.#reason] = this.#lie === undefined ? ['up', ''] : ['quarantined', this.#lie];
    [this.#token, this.#sessions] = [token, sessions];
    this.#epoch++;
    this.#missingSeconds = 1;
    this.#upSinceMs = performance.now();
    this.#work.setSessions(sessions);
    this.#watchdog = new AgentWatchdog({
      pid: child.pid as number,
      pingMs: this.options.pingMs,
      callDeadlineMs: this.profile.tuning.callDeadlineMs,
      slowMs: this.profile.tuning.generateDeadlineMs,
      isSlow: () => this.#work.runs(SLOW_RECIPES),
      ping: (seq) => child.connected && child.send({ kind: 'ping', seq }, () => undefined),
      hung: (reason) => this.kill(reason),
    });
    this.#watchdog.start();
    this.options.onUp(this, token, shown).then(
      () => {
        if (this.#child !== child) return;
        this.#serving = true;
        this.options.log.info('device up', { device: this.name, tokenSerial: token.serial, pid: child.pid, sessions });
        this.#settled();
        this.#work.pump();
      },
      (error: unknown) => {
        if (this.#child === child && isAppError(error) && error.code === 'TOKEN_REPLACED') return this.#replaced(child, String(error.details['reason']));
        this.options.log.error('device does not serve', error, { device: this.name });
        this.#settled();
        // Nothing else would ask it again: it would stay up and serve nobody until its agent ends.
        if (this.#child === child) this.kill(`does not serve: ${(error as Error).message}`);
      },
    );
    this.#work.pump();
  }

  #send(id: number, { recipe, request, classes, items }: Work, online: boolean): void {
    this.counts.requests++;
    this.counts.items += items;
    this.#child?.send({ kind: 'run', id, recipe, request, classes, online }, (error) => {
      // A closed channel is followed by the exit event, which refuses the work.
      if (error) this.options.log.warn('agent channel closed', { device: this.name });
    });
  }

  #countError(ckr: string): void {
    this.counts.errors[ckr] = (this.counts.errors[ckr] ?? 0) + 1;
  }

  #ended(how: string): void {
    clearTimeout(this.#timer);
    this.#child = undefined;
    const wasUp = this.#upSinceMs > 0;
    if (wasUp && performance.now() - this.#upSinceMs > STEADY_SECONDS * 1000) this.#backoffSeconds = 0;
    this.#upSinceMs = 0;
    const known = REFUSED_STATES.find((state) => state === this.#state);
    this.#retire(known ?? 'down', this.#reason === '' ? how : this.#reason);
  }

  /** No agent runs now: refuse what waits, and plan the next look. */
  #retire(state: RefusedState | 'down', reason: string, error?: unknown): void {
    [this.#state, this.#reason, this.#serving] = [state, reason, false];
    this.#watchdog?.stop();
    this.#work.refuseAll(this.unavailable());
    this.#settled();
    if (this.#stopped) return;
    this.options.log.warn('device not up', { device: this.name, state, reason });
    if (error !== undefined) this.options.log.error('agent start failed', error, { device: this.name });
    if (state === 'pinLatched') return this.#waitForLatch();
    // A crash is answered at once, the next of a row after a pause; a token that is not there is looked for after one.
    const pause = state === 'down' ? this.#backoffSeconds : this.#missingSeconds;
    this.#timer = setTimeout(() => this.start(), pause * 1000);
    if (state !== 'down') this.#missingSeconds = Math.min(this.#missingSeconds * 2, MISSING_LOOK_MOST_SECONDS);
    else this.#backoffSeconds = Math.min(Math.max(1, this.#backoffSeconds * 2), BACKOFF_MOST_SECONDS);
  }

  /** Only an operator takes the latch away; until then nobody logs in. */
  #waitForLatch(): void {
    this.#timer = setTimeout(() => {
      if (existsSync(this.latchFile)) this.#waitForLatch();
      else this.start();
    }, LATCH_LOOK_SECONDS * 1000);
  }
}
