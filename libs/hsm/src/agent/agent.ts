import { writeFileAtomic } from '#libs/platform';
import { AppError, isAppError } from '#libs/platform/domain';
import { vendorProfile } from '../domain/profiles.js';
import { pkcs11Error, pkcs11ErrorDetails } from '../domain/pkcs11-errors.js';
import type { AgentOrder, AgentReport } from '../ipc.js';
import { harden } from './harden.js';
import { initialiseToken } from './initialise.js';
import { openToken, PinRefused, TokenMissing } from './open-token.js';
import { RecipeRunner } from './run-recipe.js';
import { ckrOf } from './token.js';

/** Mechanisms that a module lacks are named as such: the operator picks another device. */
const NO_MECHANISM = 'CKR_MECHANISM_INVALID';

/**
 * One process per device, and the only kind that loads a PKCS#11 module. It takes its orders over IPC and ends when the
 * channel closes, when the kernel says that the supervisor is dead, or when its session can no longer be trusted.
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
  #device = '';

  obey(order: AgentOrder): void {
    if (order.kind === 'run') this.#run(order);
    else if (order.kind === 'start') this.#start(order);
    else this.#initialise(order);
  }

  #start(order: Extract<AgentOrder, { kind: 'start' }>): void {
    const { place } = order;
    this.#device = place.device;
    try {
      harden({ undumpable: !vendorProfile(place.profile).simulator, dieWithParent: false });
      const { token, serial, label } = openToken(place, order.pin);
      this.#runner = new RecipeRunner(token, order.testKeys);
      report({ kind: 'up', tokenSerial: serial, tokenLabel: label });
    } catch (error) {
      if (error instanceof PinRefused) {
        // On disk before anybody hears of it: a crash here must not lead to a second try.
        writeFileAtomic(order.latchFile, `${JSON.stringify({ device: place.device, ckr: error.message, at: new Date().toISOString() })}\n`);
      }
      reportAndEnd({ kind: stateOf(error), reason: (error as Error).message });
    } finally {
      order.pin.fill(0);
    }
  }

  #initialise(order: Extract<AgentOrder, { kind: 'initialise' }>): void {
    try {
      initialiseToken(order.place, order.label, order.soPin, order.pin);
      reportAndEnd({ kind: 'initialised' });
    } catch (error) {
      reportAndEnd({ kind: 'failed', reason: (error as Error).message });
    } finally {
      order.pin.fill(0);
      order.soPin.fill(0);
    }
  }

  #run(order: Extract<AgentOrder, { kind: 'run' }>): void {
    try {
      if (this.#runner === undefined) throw new AppError('HSM_DEVICE_DOWN', { device: this.#device, reason: 'not logged in' });
      report({ kind: 'done', id: order.id, result: this.#runner.run(order.recipe, order.request, order.classes) });
    } catch (error) {
      const shown = this.#shown(error, order.recipe);
      const refusal = { kind: 'refused', id: order.id, code: shown.code, details: shown.details } as const;
      const ckr = ckrOf(error);
      if (ckr !== undefined && pkcs11Error(ckr).fatal) reportAndEnd(refusal);
      else report(refusal);
    }
  }

  #shown(error: unknown, recipe: string): AppError {
    if (isAppError(error)) return error;
    const ckr = ckrOf(error);
    if (ckr === NO_MECHANISM) return new AppError('HSM_CAPABILITY_MISSING', { device: this.#device, recipe });
    if (ckr !== undefined) return new AppError('HSM_ERROR', pkcs11ErrorDetails(this.#device, ckr));
    return new AppError('INTERNAL', { requestId: `${this.#device}/${recipe}: ${(error as Error).message}` });
  }
}

function stateOf(error: unknown): 'missing' | 'pinLatched' | 'failed' {
  if (error instanceof PinRefused) return 'pinLatched';
  return error instanceof TokenMissing ? 'missing' : 'failed';
}

function report(message: AgentReport): void {
  process.send?.(message);
}

/** Ends the process once the supervisor has the message. */
function reportAndEnd(message: AgentReport): void {
  process.send?.(message, () => process.exit(0));
}
