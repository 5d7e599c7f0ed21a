import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { AppError, isAppError } from '#libs/platform/domain';
import { isFatal, pkcs11ErrorDetails } from '../domain/pkcs11-errors.js';
import type { AgentOrder, AgentReport } from '../ipc.js';
import { harden } from './harden.js';
import { KeyDirectory } from './key-directory.js';
import { ModuleChanged } from './module-digest.js';
import { findToken, type FoundToken, type OpenedToken, openToken, PinRefused, TokenMissing } from './open-token.js';
import { Probe } from './probe.js';
import { RecipeRunner } from './run-recipe.js';
import { ckrOf } from './token.js';

type Order<K extends AgentOrder['kind']> = Extract<AgentOrder, { kind: K }>;

/** By then the first known answers are given; what loading and opening needed goes back: forty-five agents share a host. */
const TIDY_AFTER_MS = 500;

/** Mechanisms that a module lacks are named as such: the operator picks another device. */
const NO_MECHANISM = 'CKR_MECHANISM_INVALID';

/**
 * One process per device, and the only kind that loads a PKCS#11 module. It takes its orders over IPC and ends when the
 * channel closes, when the kernel says that the supervisor is dead, or when its login can no longer be trusted.
 */
export async function runAgent(): Promise<void> {
  harden({ undumpable: false, dieWithParent: true });
  process.on('disconnect', () => process.exit(0));
  // An interrupt from the terminal goes to the whole group; the supervisor decides when agents end.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const agent = new Agent();
  process.on('message', (order: AgentOrder) => agent.obey(order));
  report({ kind: 'awake' });
}

class Agent {
  #runner: RecipeRunner | undefined;
  #probe: Probe | undefined;
  #device = '';
  #found: { readonly token: FoundToken; readonly start: Order<'start'> } | undefined;
  #running = 0;

  obey(order: AgentOrder): void {
    switch (order.kind) {
      case 'run':
        void this.#run(order);
        return;
      case 'ping':
        return this.#ping(order);
      case 'start':
        return this.#start(order);
      case 'login':
        return this.#logIn(order);
      case 'initialise':
        void this.#initialise(order);
        return;
      case 'trust':
        void this.#trust(order);
        return;
    }
  }

  #start(order: Order<'start'>): void {
    const { place, profile } = order;
    this.#device = place.device;
    try {
      harden({ undumpable: !profile.simulator, dieWithParent: false });
      this.#found = { token: findToken(place), start: order };
      report({ kind: 'token', serial: this.#found.token.info.serialNumber.trim() });
    } catch (error) {
      reportAndEnd({ kind: stateOf(error), reason: reasonOf(error) });
    }
  }

  /** Once in the life of an agent. */
  #logIn({ pin }: Order<'login'>): void {
    const found = this.#found;
    this.#found = undefined;
    try {
      if (found !== undefined) this.#open(openToken(found.token, found.start.profile, pin, found.start.identityNonce), found.start);
    } catch (error) {
      // On disk before anybody hears of it: a crash here must not lead to a second try.
      if (found !== undefined && error instanceof PinRefused) latch(found.start.latchFile, { device: this.#device, ckr: error.message, at: new Date().toISOString() });
      reportAndEnd({ kind: stateOf(error), reason: reasonOf(error) });
    } finally {
      pin.fill(0);
    }
  }

  #open({ token, executor, description, identity }: OpenedToken, order: Order<'start'>): void {
    const recorded = new Map(Object.entries(order.fingerprints));
    const directory = new KeyDirectory(token, executor, recorded, (keyId, value, keyClass) => report({ kind: 'fingerprint', keyId, value, keyClass }));
    this.#runner = new RecipeRunner({ token, executor, directory }, order.testKeys, description.serial);
    this.#probe = new Probe(executor, (ckr) => reportAndEnd({ kind: 'gone', ckr }));
    // One login in the life of an agent: the supervisor counts the lives.
    setTimeout(() => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }), TIDY_AFTER_MS).unref();
    report({ kind: 'up', token: description, sessions: executor.counts().sessions, loginEpoch: 1, identity });
  }

  /** Graphene is for making tokens: an agent that serves does without it, and starts in half the time. */
  async #initialise(order: Order<'initialise'>): Promise<void> {
    try {
      const { initialiseToken } = await import('./initialise.js');
      initialiseToken(order.place, order.profile, order.label, order.soPin, order.pin);
      reportAndEnd({ kind: 'initialised' });
    } catch (error) {
      reportAndEnd({ kind: 'failed', reason: reasonOf(error) });
    } finally {
      order.pin.fill(0);
      order.soPin.fill(0);
    }
  }

  /** The security officer's act, in a process that does nothing else: who serves is logged in as user. */
  async #trust(order: Order<'trust'>): Promise<void> {
    try {
      const { enterTrustedKeys } = await import('./trusted-keys.js');
      enterTrustedKeys(findToken(order.place), order.profile, order.soPin, order.keys);
      reportAndEnd({ kind: 'trusted' });
    } catch (error) {
      if (error instanceof PinRefused) latch(order.latchFile, { device: order.place.device, ckr: error.message, at: new Date().toISOString() });
      reportAndEnd({ kind: stateOf(error), reason: reasonOf(error) });
    } finally {
      order.soPin.fill(0);
    }
  }

  #ping({ seq }: Order<'ping'>): void {
    report({ kind: 'pong', seq, ...(this.#probe?.figures() ?? { oldestCall: { ms: 0, running: false }, sessionsOpen: 0, errors: {} }) });
    if (this.#running === 0) this.#probe?.ask();
  }

  async #run(order: Order<'run'>): Promise<void> {
    this.#running++;
    try {
      if (this.#runner === undefined) throw new AppError('HSM_DEVICE_DOWN', { device: this.#device, reason: 'not logged in' });
      report({ kind: 'done', id: order.id, result: await this.#runner.run(order.recipe, order.request, order.classes, order.online) });
    } catch (error) {
      const { code, details } = this.#shown(error, order.recipe);
      const ckr = ckrOf(error);
      const fatal = ckr !== undefined && isFatal(ckr);
      (fatal ? reportAndEnd : report)({ kind: 'refused', id: order.id, code, details, ckr, fatal });
    } finally {
      this.#running--;
    }
  }

  #shown(error: unknown, recipe: string): AppError {
    if (isAppError(error)) return error;
    const device = this.#device;
    const ckr = ckrOf(error);
    if (ckr === NO_MECHANISM) return new AppError('HSM_CAPABILITY_MISSING', { device, recipe });
    if (ckr !== undefined) return new AppError('HSM_ERROR', pkcs11ErrorDetails(device, ckr));
    const { ckr: number, call } = error as { ckr?: unknown; call?: unknown };
    if (number === 0) return new AppError('HSM_ANSWER_WRONG', { device, what: `${String(call)}: length` });
    return new AppError('INTERNAL', { requestId: `${device}/${recipe}: ${(error as Error).message}` });
  }
}

function stateOf(error: unknown): 'missing' | 'pinLatched' | 'moduleChanged' | 'failed' {
  if (error instanceof ModuleChanged) return 'moduleChanged';
  if (error instanceof PinRefused) return 'pinLatched';
  return error instanceof TokenMissing ? 'missing' : 'failed';
}

function reasonOf(error: unknown): string {
  const ckr = ckrOf(error);
  const { message } = error as Error;
  return ckr === undefined || message.includes(ckr) ? message : `${message}: ${ckr}`;
}

/** A file that stands counts, whatever is in it; the folder is the supervisor's own. */
function latch(file: string, content: object): void {
  const descriptor = openSync(file, 'w', 0o600);
  writeSync(descriptor, `${JSON.stringify(content)}\n`);
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function report(message: AgentReport): void {
  process.send?.(message);
}

/** Ends the process once the supervisor has the message. */
function reportAndEnd(message: AgentReport): void {
  process.send?.(message, () => process.exit(0));
}
