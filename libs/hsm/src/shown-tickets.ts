import { type Authorisation, ticketDigest } from '#libs/signature';

/**
 * Tickets that the supervisor has taken. They go by their digest from then on: a card in a hundred thousand
 * need not carry the signatures of all approvers.
 */
export class ShownTickets {
  readonly #digests = new WeakMap<Authorisation, string>();

  /** What is sent for it. */
  sent(authorisation: Authorisation | undefined): Authorisation | undefined {
    const digest = authorisation && this.#digests.get(authorisation);
    return digest === undefined ? authorisation : { kind: 'ticketDigest', digest };
  }

  taken(authorisation: Authorisation | undefined): void {
    if (authorisation?.kind === 'ticket' && !this.#digests.has(authorisation)) this.#digests.set(authorisation, ticketDigest(authorisation));
  }

  /** Shown whole at the next call. */
  forget(authorisation: Authorisation | undefined): void {
    if (authorisation !== undefined) this.#digests.delete(authorisation);
  }
}
