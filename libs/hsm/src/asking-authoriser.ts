import { randomBytes } from 'node:crypto';
import { toHex } from '#libs/platform/domain';
import type { Approval, Authorisation, HsmRequest, Ticket } from '#libs/signature';
import type { Authoriser, AuthorisationNeed } from './authoriser.js';
import type { RecipeName } from './domain/recipes.js';

export interface AskingTerms {
  /** The client of the supervisor that asks. */
  readonly client: string;
  /** Operations of a ticket, and how long it lives. */
  readonly ticketCount: number;
  readonly ticketHours: number;
  /** How long a request waits for its approvals, and how long it stays good with them. */
  readonly requestMinutes: number;
  /** The operator on whose behalf it asks at this moment. */
  readonly requestedBy?: () => string | undefined;
}

interface HeldTicket {
  readonly recipe: RecipeName;
  readonly authorisation: Extract<Authorisation, { kind: 'ticket' }>;
  left: number;
}

/** Writes requests and tickets, has them signed by whoever `ask` leads to, and keeps tickets until they are spent. */
export class AskingAuthoriser implements Authoriser {
  #tickets: HeldTicket[] = [];
  /** Calls that come at the same time for the same keys share one ticket; it names the operator whose call was the first. */
  readonly #asking = new Map<string, Promise<Authorisation>>();

  constructor(
    private readonly terms: AskingTerms,
    private readonly ask: (subject: HsmRequest | Ticket, rule: string) => Promise<Approval[]>,
    private readonly now: () => Date = () => new Date(),
  ) {}

  known(recipe: RecipeName, keys: readonly string[], count: number): Authorisation | undefined {
    const held = this.#tickets.find((ticket) => ticket.recipe === recipe && ticket.left >= count && keys.every((keyId) => ticket.authorisation.ticket.keys.includes(keyId)));
    if (held === undefined) return undefined;
    held.left -= count;
    return held.authorisation;
  }

  authorise(need: AuthorisationNeed): Promise<Authorisation> {
    return need.kind === 'ticket' ? this.#ticket(need) : this.#request(need);
  }

  forget(authorisation: Authorisation | undefined): void {
    this.#tickets = this.#tickets.filter((held) => held.authorisation !== authorisation);
  }

  async #request({ recipe, rule, keys, parameters, devices, policyVersion }: AuthorisationNeed): Promise<Authorisation> {
    const request: HsmRequest = {
      format: 'hufu/request/1',
      requestId: toHex(randomBytes(16)),
      requester: this.terms.client,
      ...this.#requestedBy(),
      recipe,
      devices: [...devices],
      keys: [...keys],
      parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]])),
      policyVersion,
      createdAt: this.now().toISOString(),
      notAfter: this.#later(this.terms.requestMinutes * 60_000),
    };
    return { kind: 'approvals', request, approvals: await this.ask(request, rule) };
  }

  async #ticket(need: AuthorisationNeed): Promise<Authorisation> {
    const name = `${need.rule} ${need.keys.join()}`;
    const asking = this.#asking.get(name) ?? this.#askTicket(need);
    this.#asking.set(name, asking);
    try {
      const authorisation = await asking;
      const held = this.#tickets.find((ticket) => ticket.authorisation === authorisation);
      if (held !== undefined) held.left -= need.count;
      return authorisation;
    } finally {
      this.#asking.delete(name);
    }
  }

  async #askTicket({ recipe, rule, keys, count, policyVersion }: AuthorisationNeed): Promise<Authorisation> {
    const ticket: Ticket = {
      format: 'hufu/ticket/1',
      ticketId: toHex(randomBytes(16)),
      line: this.terms.client,
      ...this.#requestedBy(),
      recipe: rule,
      keys: [...keys],
      count: Math.max(count, this.terms.ticketCount),
      notBefore: this.now().toISOString(),
      notAfter: this.#later(this.terms.ticketHours * 3_600_000),
      policyVersion,
    };
    const authorisation = { kind: 'ticket' as const, ticket, approvals: await this.ask(ticket, rule) };
    this.#tickets.push({ recipe, authorisation, left: ticket.count });
    return authorisation;
  }

  #requestedBy(): { requestedBy?: string } {
    const requestedBy = this.terms.requestedBy?.();
    return requestedBy === undefined ? {} : { requestedBy };
  }

  #later(ms: number): string {
    return new Date(this.now().getTime() + ms).toISOString();
  }
}
