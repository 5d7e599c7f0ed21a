import { join } from 'node:path';
import { AppError, canonicalJson } from '#libs/platform/domain';
import { zodReason } from '#libs/platform/host';
import { type Approval, Authorisation, type HsmRequest, type QuorumPolicy, requireApproved, requireTicketApproved, requireTicketTime, type Ticket, ticketDigest } from '#libs/signature';
import { authorityOf, type Authorised } from '../domain/authority.js';
import type { Client } from '../domain/policy.js';
import type { RecipeName, RecipeRequest } from '../domain/recipes.js';
import { describeRequest, type RequestDescription } from '../domain/request-description.js';
import { AppendLog } from './append-log.js';
import type { PolicyFolder } from './policy-folder.js';
import { SignCounts } from './sign-counts.js';
import { StoppedRules } from './stopped-rules.js';
import { TicketCounts } from './ticket-counts.js';

export interface GateOrder {
  readonly client: Client;
  readonly recipe: RecipeName;
  /** Where it would run. */
  readonly devices: readonly { readonly device: string; readonly tokenSerial: string }[];
  /** Parsed by the recipe's schema. */
  readonly request: unknown;
  readonly authorisation: unknown;
  /** Those of `devices` that hold the key already, or may hold it because they are not up. */
  readonly holders: readonly string[];
}

const VERIFIED_TICKETS_MOST = 256;

/**
 * Quorum is enforced where the key is used. Nothing turns this check off: which recipes need what is code (domain/authority.ts),
 * who and how many stands in the signed policy. What is released is on disk first, so that a crash burns a request and never gives
 * it a second life.
 */
export class Gate {
  readonly #used = new Set<string>();
  /** `device keyId` of objects that were made under an approval and neither sealed nor used since: their maker may undo them. */
  readonly #unfinished = new Set<string>();
  readonly #verified = new Map<string, Ticket>();
  readonly #requests: AppendLog;
  readonly #tickets: TicketCounts;
  readonly #objects: AppendLog;
  readonly #signCounts: SignCounts;
  readonly #stops: StoppedRules;

  constructor(
    private readonly policies: PolicyFolder,
    stateDir: string,
    private readonly now: () => Date,
  ) {
    this.#requests = new AppendLog(join(stateDir, 'used-requests.log'), (line) => this.#used.add(line));
    this.#tickets = new TicketCounts(join(stateDir, 'tickets.log'));
    this.#signCounts = new SignCounts(join(stateDir, 'sign-counts.log'));
    this.#stops = new StoppedRules(join(stateDir, 'stops.log'));
    this.#objects = new AppendLog(join(stateDir, 'objects.log'), (line) => {
      const [what, ...object] = line.split(' ');
      if (what === 'made') this.#unfinished.add(object.join(' '));
      else this.#unfinished.delete(object.join(' '));
    });
  }

  close(): void {
    for (const log of [this.#requests, this.#tickets, this.#objects, this.#signCounts, this.#stops]) log.close();
  }

  stopped(): string[] {
    return this.#stops.list();
  }

  /** One person may stop. */
  stop(rule: string): Promise<void> {
    return this.#stops.stop(rule);
  }

  /** A quorum starts again. Throws as `pass` does. */
  async start(order: GateOrder): Promise<void> {
    await this.pass(order);
    await this.#stops.start((order.request as RecipeRequest<'start'>).rule);
  }

  /** Throws RULE_STOPPED, APPROVAL_*, QUORUM_NOT_MET, REQUEST_*, TICKET_*, HSM_REFUSED (no rule in the policy). */
  async pass(order: GateOrder): Promise<void> {
    const need = authorityOf(order.recipe, order.request);
    if (need.authority === 'free') return order.recipe === 'sign' ? this.#use(order) : undefined;
    const description = describeRequest(order.recipe, order.request);
    // It stays undoable: what a device completes late under the same CKA_ID is destroyed the same way.
    if (order.recipe === 'destroy' && this.#isUnfinished(order, description)) return;
    this.#stops.require(need.rule);
    const policy = this.policies.current();
    const authorisation = this.#parse(order, need, policy, description);
    if (authorisation.kind === 'approvals') await this.#execute(order, policy, authorisation.request, authorisation.approvals, description, need);
    else await this.#spend(order, await this.#ticket(order, policy, authorisation, need), description, need);
  }

  #parse(order: GateOrder, need: Authorised, policy: QuorumPolicy, description: RequestDescription): Authorisation {
    const rule = policy.rules[need.rule];
    if (rule === undefined) throw new AppError('HSM_REFUSED', { reason: `${need.rule} has no rule in policy version ${policy.version}` });
    const details = {
      recipe: order.recipe,
      rule: need.rule,
      count: rule.count,
      policyVersion: policy.version,
      devices: order.devices.map(({ device, tokenSerial }) => `${device} ${tokenSerial}`),
      keys: [...description.keys],
    };
    const missing = need.authority === 'ticket' ? 'TICKET_REQUIRED' : 'APPROVAL_REQUIRED';
    if (order.authorisation === undefined) throw new AppError(missing, details);
    const parsed = Authorisation.safeParse(order.authorisation);
    if (!parsed.success) throw new AppError(need.authority === 'ticket' ? 'TICKET_INVALID' : 'APPROVAL_INVALID', { reason: zodReason(parsed.error) });
    if ((parsed.data.kind === 'approvals') !== (need.authority === 'approvals')) throw new AppError(missing, details);
    return parsed.data;
  }

  async #execute(order: GateOrder, policy: QuorumPolicy, request: HsmRequest, approvals: readonly Approval[], description: RequestDescription, need: Authorised): Promise<void> {
    requireSame(order, request, description);
    requireApproved(request, approvals, { policy, need: policy.rules[need.rule] as NonNullable<QuorumPolicy['rules'][string]>, requester: order.client, now: this.now() });
    if (this.#used.has(request.requestId)) throw new AppError('REQUEST_REPLAYED', { requestId: request.requestId });
    this.#used.add(request.requestId);
    await this.#signCounts.take(approvals, policy);
    await this.#requests.append(request.requestId);
    await this.#note(order, description);
  }

  /** Its signatures are verified when it is shown, not each time it is spent. */
  async #ticket(order: GateOrder, policy: QuorumPolicy, shown: Exclude<Authorisation, { kind: 'approvals' }>, need: Authorised): Promise<Ticket> {
    const digest = shown.kind === 'ticket' ? ticketDigest(shown) : shown.digest;
    const known = this.#verified.get(digest);
    if (known?.policyVersion === policy.version) return known;
    if (shown.kind === 'ticketDigest') throw new AppError('TICKET_UNKNOWN', { digest });
    const { ticket, approvals } = shown;
    const rule = policy.rules[need.rule] as NonNullable<QuorumPolicy['rules'][string]>;
    requireTicketApproved(ticket, approvals, { policy, need: rule, requester: order.client, now: this.now(), seenInTime: this.#tickets.hasSeen(ticket) });
    await this.#signCounts.take(approvals, policy);
    if (this.#verified.size >= VERIFIED_TICKETS_MOST) this.#verified.delete(this.#verified.keys().next().value as string);
    this.#verified.set(digest, ticket);
    return ticket;
  }

  async #spend(order: GateOrder, ticket: Ticket, { keys, count }: RequestDescription, need: Authorised): Promise<void> {
    requireTicketTime(ticket, this.now());
    if (ticket.line !== order.client) throw new AppError('TICKET_INVALID', { reason: `it is for line ${ticket.line}` });
    if (ticket.recipe !== need.rule) throw new AppError('TICKET_INVALID', { reason: `it is for ${ticket.recipe}` });
    const foreign = keys.find((keyId) => !ticket.keys.includes(keyId));
    if (foreign !== undefined) throw new AppError('TICKET_INVALID', { reason: `key ${foreign} does not stand in it` });
    await this.#tickets.spend(ticket, count);
    await this.#use(order, keys);
  }

  /** What an approved act makes may be undone by its maker; what seals it ends that. What was there before is no product of it. */
  async #note(order: GateOrder, { keys }: RequestDescription): Promise<void> {
    const device = (order.recipe === 'transfer' ? order.devices.at(-1) : order.devices[0])?.device ?? '';
    const object = `${device} ${keys[0]}`;
    if (MAKES.includes(order.recipe)) {
      if (order.holders.includes(device)) return;
      this.#unfinished.add(object);
      await this.#objects.append(`made ${object}`);
    } else if (order.recipe === 'seal' || order.recipe === 'destroy') await this.#finished(object);
    else await this.#use(order, keys);
  }

  /** A key that has signed, or worked for a card, is in use, in whichever device of its group that was. */
  async #use(order: GateOrder, keys?: readonly string[]): Promise<void> {
    if (this.#unfinished.size === 0) return;
    const used = keys ?? describeRequest(order.recipe, order.request).keys;
    const finished = [...this.#unfinished].filter((object) => used.includes(object.slice(object.indexOf(' ') + 1)));
    await Promise.all(finished.map((object) => this.#finished(object)));
  }

  #isUnfinished(order: GateOrder, { keys }: RequestDescription): boolean {
    return order.devices.every(({ device }) => this.#unfinished.has(`${device} ${keys[0]}`)) && order.devices.length === 1;
  }

  async #finished(object: string): Promise<void> {
    if (!this.#unfinished.delete(object)) return;
    await this.#objects.append(`kept ${object}`);
  }
}

const MAKES: readonly RecipeName[] = ['generateKey', 'generateKeyPair', 'importTestTransportKey', 'transfer', 'escrowRecover'];

/** Exactly what was approved, by exactly this client, on exactly these devices. Throws REQUEST_DIFFERS. */
function requireSame(order: GateOrder, request: HsmRequest, { keys, parameters }: RequestDescription): void {
  const differs = (what: string): never => {
    throw new AppError('REQUEST_DIFFERS', { what });
  };
  if (request.requester !== order.client) differs(`requester ${request.requester}`);
  if (request.recipe !== order.recipe) differs(`recipe ${request.recipe}`);
  if (canonical(request.keys) !== canonical(keys)) differs('keys');
  if (canonical(request.parameters) !== canonical(parameters)) differs('parameters');
  if (canonical(request.devices) !== canonical(order.devices.map(({ device, tokenSerial }) => ({ device, tokenSerial })))) differs('devices');
}

function canonical(value: unknown): string {
  return Buffer.from(canonicalJson(value as never)).toString('utf8');
}
