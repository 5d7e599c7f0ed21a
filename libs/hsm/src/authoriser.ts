import type { Authorisation } from '#libs/signature';
import type { RequestDescription } from './domain/request-description.js';
import type { RecipeName } from './domain/recipes.js';

/** What a client is told that it lacks. */
export interface AuthorisationNeed extends RequestDescription {
  readonly kind: 'approvals' | 'ticket';
  readonly recipe: RecipeName;
  /** Rule of the policy, for instance `sign:caCertificate`. */
  readonly rule: string;
  readonly policyVersion: number;
  /** Where it may run: device and token serial. Empty for a ticket. */
  readonly devices: readonly { readonly device: string; readonly tokenSerial: string }[];
}

/**
 * How a client gets the approvals of its privileged recipes and the tickets of its routine ones. The supervisor says what is
 * missing; the same request is then sent once more with what the authoriser brought.
 */
export interface Authoriser {
  /** A ticket that is at hand for this recipe and these keys. */
  known(recipe: RecipeName, keys: readonly string[], count: number): Authorisation | undefined;
  /** Asks and waits. Throws APPROVAL_REFUSED, APPROVAL_EXPIRED. */
  authorise(need: AuthorisationNeed): Promise<Authorisation>;
  /** The supervisor did not take this one (spent, expired): it is not to be offered again. */
  forget(authorisation: Authorisation | undefined): void;
}
