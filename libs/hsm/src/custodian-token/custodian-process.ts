import { harden } from '../agent/harden.js';
import { initialiseToken } from '../agent/initialise.js';
import type { CustodianActs, CustodianOrder, CustodianPlace, CustodianReport } from './custodian-orders.js';
import { CustodianToken, shownOf } from './custodian-token.js';

/**
 * The only process that speaks to a custodian's token. `{place}` comes first, then one act after another over IPC; it ends with its
 * channel. PINs are wiped when their act is over.
 */
export async function runCustodianToken(): Promise<void> {
  harden({ undumpable: false, dieWithParent: true });
  process.on('disconnect', () => process.exit(0));
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  let token: Station | undefined;
  process.on('message', (message: CustodianPlace | CustodianOrder) => {
    if ('place' in message) token = new Station(message);
    else void token?.obey(message);
  });
  report({ kind: 'awake' });
}

class Station {
  readonly #token: CustodianToken;

  constructor(private readonly where: CustodianPlace) {
    harden({ undumpable: !where.profile.simulator, dieWithParent: false });
    this.#token = new CustodianToken(where);
  }

  async obey({ act, request }: CustodianOrder): Promise<void> {
    try {
      const run = this.#acts[act] as (request: CustodianActs[typeof act]) => unknown;
      report({ kind: 'done', result: (await run(request)) ?? null });
    } catch (error) {
      const { code, details } = shownOf(error, this.where.place.device);
      report({ kind: 'refused', code, details: details as Extract<CustodianReport, { kind: 'refused' }>['details'] });
    } finally {
      for (const name of ['pin', 'soPin'] as const) (request as Partial<Record<typeof name, Uint8Array>>)[name]?.fill(0);
    }
  }

  readonly #acts: { readonly [A in keyof CustodianActs]: (request: CustodianActs[A]) => unknown } = {
    initialise: ({ label, soPin, pin }) => initialiseToken(this.where.place, this.where.profile, label, soPin, pin),
    enrol: (request) => this.#token.enrol(request),
    trust: (request) => this.#token.trust(request),
    openShare: (request) => this.#token.openShare(request),
    inventory: (request) => this.#token.inventory(request),
  };
}

function report(message: CustodianReport): void {
  process.send?.(message);
}
