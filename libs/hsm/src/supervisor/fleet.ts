import { randomInt } from 'node:crypto';
import { AppError, equalBytes, isAppError } from '#libs/platform/domain';
import { PACKED_RECIPES, type PackedBatch, type PackedRecipe, readAnswers, readBatch, sliceBatch } from '../domain/batch.js';
import { chooseDevice, piecesOf } from '../domain/choice.js';
import { DEVICE_GROUPS, type DeviceGroup } from '../domain/device-group.js';
import { FACTOR_BYTES, isReservedAt } from '../domain/factors.js';
import { isDeviceFailure } from '../domain/failover.js';
import type { FleetStatus } from '../domain/fleet-status.js';
import type { KeyClass } from '../domain/key-class.js';
import { allowedClasses, type Client } from '../domain/policy.js';
import { type ClientRequest, IDEMPOTENT_RECIPES, type RecipeName, RECIPES, type RecipeRequest } from '../domain/recipes.js';
import type { DeviceAgent } from './device-agent.js';
import type { DeviceRecords } from './device-records.js';
import type { FingerprintRecord } from './fingerprint-record.js';
import type { Gate } from './gate.js';
import { allFailed, type Failure, isBusy, nobodyAnswers, offers, refusesRequest } from './group-errors.js';
import type { KnownAnswerWatch } from './known-answer-watch.js';
import { enterTrustedKeys, requireOfficer } from './officer.js';
import type { PolicyFolder } from './policy-folder.js';
import type { TokenPins } from './token-pins.js';
import { Transfers } from './transfers.js';
import { UnprovenAnswers } from './unproven-answers.js';

/** One in so many answers of a batch of MACs is computed again by a sibling. */
const SAMPLED_ONE_IN = 100;
const SAMPLED_RECIPES: ReadonlySet<RecipeName> = new Set(['commandMacs', 'purchaseMacs', 'tacs']);

interface Asked {
  readonly client: Client;
  readonly recipe: RecipeName;
  readonly request: unknown;
  readonly classes: readonly KeyClass[];
  readonly keyIds: readonly string[];
  readonly items: number;
  readonly online: boolean;
  /** Computed on two devices and compared. */
  readonly paired: boolean;
  readonly packed: PackedBatch | undefined;
}

interface Answered {
  readonly answer: unknown;
  readonly agent: DeviceAgent;
}

export interface FleetParts {
  readonly agents: ReadonlyMap<string, DeviceAgent>;
  readonly gate: Gate;
  readonly policies: PolicyFolder;
  readonly watch: () => KnownAnswerWatch;
  readonly records: DeviceRecords;
  readonly fingerprints: FingerprintRecord;
  readonly pins: TokenPins;
  readonly now: () => Date;
}

/** All devices of this host behind policy and gate: what a client asked becomes orders to agents. */
export class Fleet {
  readonly #transfers: Transfers;
  readonly #unproven: UnprovenAnswers;
  #turn = 0;

  constructor(private readonly parts: FleetParts) {
    this.#transfers = new Transfers(parts.agents);
    this.#unproven = new UnprovenAnswers(parts.now);
  }

  /** Throws HSM_REFUSED by the policy, REQUEST_INVALID by the schema, what the gate says, and what the device answers. */
  async run(client: Client, asked: ClientRequest): Promise<unknown> {
    const { recipe, device } = asked;
    const classes = allowedClasses(client, recipe);
    if (classes === undefined) throw new AppError('HSM_REFUSED', { reason: `${recipe} by ${client}` });
    const parsed = RECIPES[recipe].safeParse(asked.request);
    if (!parsed.success) throw new AppError('REQUEST_INVALID', { reason: `${recipe}: ${reasonOf(parsed.error)}` });
    if (recipe === 'devices') return [...this.parts.agents.values()].map((agent) => agent.status());
    if (recipe === 'fleet') return this.status();
    if (recipe === 'pinQuestions') return [...this.parts.agents.values()].flatMap((agent) => agent.pinQuestion ?? []);
    if (recipe === 'pinAnswer') return this.#answerPin(parsed.data as RecipeRequest<'pinAnswer'>);
    if (recipe === 'policyChain') return this.parts.policies.chain();
    if (recipe === 'addPolicy') return this.parts.policies.add((parsed.data as RecipeRequest<'addPolicy'>).signed, this.parts.now());
    if (recipe === 'stop') return this.parts.gate.stop((parsed.data as RecipeRequest<'stop'>).rule);
    if (recipe === 'start') return this.parts.gate.start({ client, recipe, request: parsed.data, authorisation: asked.authorisation, devices: [], holders: [] });
    if (recipe === 'deviceNote') return this.#note(parsed.data as RecipeRequest<'deviceNote'>);
    const work = this.#read(client, asked, parsed.data, classes);
    const named = this.#named(recipe, device, parsed.data);
    // Before the gate: a device that cannot act must not burn a request or a ticket.
    for (const agent of named) agent.requireReachable();
    if (recipe === 'escrowTrust') requireOfficer(named[0] as DeviceAgent);
    await this.parts.gate.pass({
      client,
      recipe,
      request: parsed.data,
      authorisation: asked.authorisation,
      devices: named.map((agent) => ({ device: agent.name, tokenSerial: agent.tokenSerial })),
      holders: named.filter((agent) => !agent.serves || agent.keys.has((parsed.data as { keyId?: string }).keyId ?? '')).map((agent) => agent.name),
    });
    if (recipe === 'transfer') return this.#transfer(parsed.data as RecipeRequest<'transfer'>, classes);
    if (recipe === 'escrowTrust') return enterTrustedKeys(named[0] as DeviceAgent, (parsed.data as RecipeRequest<'escrowTrust'>).keys);
    if (device.startsWith('@')) return asked.paired ? this.#paired(work, groupOf(device)) : this.#inGroup(work, groupOf(device));
    return this.#on(named[0] as DeviceAgent, work);
  }

  status(): FleetStatus {
    const { agents, records, watch } = this.parts;
    const devices = [...agents.values()].map((agent) => {
      const { device, group, state, reason, profile } = agent.status();
      return {
        device, group, state, reason, profile,
        figures: {
          ...agent.figures(),
          knownAnswerAgeSeconds: watch().ageSeconds(device),
          latencyMs: { p50: agent.latency.percentile(0.5), p99: agent.latency.percentile(0.99) },
          breaker: agent.breaker.state,
        },
        counters: agent.counters(),
        record: records.record(agent.config),
      };
    });
    const groups = DEVICE_GROUPS.map((group) => ({ group, up: this.#group(group).filter((agent) => agent.serves).length, of: this.#group(group).length }));
    return { devices, groups, stopped: this.parts.gate.stopped(), doubtful: this.#unproven.doubtful };
  }

  /** A device gave right known answers: what it answered before they were asked is good. */
  believe(agent: DeviceAgent, sinceMs: number): void {
    this.#unproven.proven(agent.name, sinceMs);
  }

  /** A device lied: its answers since the last right known answer are for somebody to look at again. */
  doubt(agent: DeviceAgent): void {
    this.#unproven.doubt(agent.name, this.parts.watch().lastGoodMs(agent.name));
  }

  #read(client: Client, { recipe, online, paired }: ClientRequest, request: unknown, classes: readonly KeyClass[]): Asked {
    const packed = (PACKED_RECIPES as readonly string[]).includes(recipe) ? readPacked(recipe as PackedRecipe, (request as { batch: Uint8Array }).batch) : undefined;
    const keyIds = packed?.keyIds ?? (recipe === 'sign' ? [...new Set((request as RecipeRequest<'sign'>).items.map(({ keyId }) => keyId))] : []);
    const items = packed?.itemCount ?? (recipe === 'sign' ? (request as RecipeRequest<'sign'>).items.length : 1);
    return { client, recipe, request, classes, keyIds, items, online, paired: paired === true, packed };
  }

  /** The devices that the request names. Empty for a group. Throws TOKEN_MISSING, HSM_REFUSED. */
  #named(recipe: RecipeName, device: string, request: unknown): DeviceAgent[] {
    if (recipe === 'transfer') {
      const { from, to } = request as RecipeRequest<'transfer'>;
      if (from === to) throw new AppError('HSM_REFUSED', { reason: 'transfer to the same device' });
      return [this.#agent(from), this.#agent(to)];
    }
    if (!device.startsWith('@')) return [this.#agent(device)];
    if (!IDEMPOTENT_RECIPES.has(recipe)) throw new AppError('HSM_REFUSED', { reason: `${recipe} in a group: it never moves to another device` });
    return [];
  }

  #agent(device: string): DeviceAgent {
    const agent = this.parts.agents.get(device);
    if (agent === undefined) throw new AppError('TOKEN_MISSING', { device });
    return agent;
  }

  #group(group: DeviceGroup): DeviceAgent[] {
    return [...this.parts.agents.values()].filter((agent) => agent.config.group === group);
  }

  /** Devices of the group that serve, hold every key and are not among `without`. */
  #candidates(work: Asked, group: DeviceGroup, without: ReadonlySet<DeviceAgent>): DeviceAgent[] {
    return this.#group(group).filter((agent) => agent.serves && !without.has(agent) && work.keyIds.every((keyId) => agent.keys.has(keyId)) && offers(agent, work.recipe));
  }

  async #inGroup(work: Asked, group: DeviceGroup): Promise<unknown> {
    const pieces = work.packed === undefined ? 1 : piecesOf(work.items, this.#candidates(work, group, new Set()).length);
    if (pieces === 1) return this.#whole(work, group);
    const { batch } = work.request as { batch: Uint8Array };
    const answers = await Promise.all(
      Array.from({ length: pieces }, (_, i) => {
        const [from, to] = [Math.floor((i * work.items) / pieces), Math.floor(((i + 1) * work.items) / pieces)];
        return this.#whole({ ...work, request: { batch: sliceBatch(batch, from, to) }, items: to - from }, group) as Promise<Uint8Array>;
      }),
    );
    return Buffer.concat(answers);
  }

  async #whole(work: Asked, group: DeviceGroup): Promise<unknown> {
    const doubted = new Set<DeviceAgent>();
    for (;;) {
      const { answer, agent } = await this.#withFailover(work, group, doubted);
      if (work.online || !SAMPLED_RECIPES.has(work.recipe) || (await this.#sampleHolds(work, group, agent, answer as Uint8Array))) return answer;
      doubted.add(agent);
    }
  }

  /** Tries device after device until one answers. A refusal by rule is the answer of all. Throws the last device's failure. */
  async #withFailover(work: Asked, group: DeviceGroup, without: ReadonlySet<DeviceAgent>): Promise<Answered> {
    const tried = new Set(without);
    const failures: Failure[] = [];
    for (;;) {
      const agent = chooseDevice(this.#candidates(work, group, tried).map((each) => ({ device: each.name, outstanding: each.outstanding, agent: each })), this.#turn++)?.agent;
      if (agent === undefined) throw failures.length === 0 ? nobodyAnswers(`@${group}`, this.#group(group), work, without) : allFailed(`@${group}`, this.#group(group), failures);
      tried.add(agent);
      try {
        const answer = await this.#on(agent, work);
        // What this device can do, those that said no to it could not: the fault was theirs and not the request's.
        for (const { agent: other, error } of failures) if (refusesRequest(error)) other.breaker.failed();
        return { answer, agent };
      } catch (error) {
        if (!isAppError(error)) throw error;
        const { keyId } = error.details;
        if (error.code === 'KEY_NOT_FOUND' && typeof keyId === 'string') agent.keys.delete(keyId);
        else if (!isDeviceFailure(error.code)) throw error;
        failures.push({ agent, error });
        agent.counts.retriedElsewhere++;
      }
    }
  }

  async #on(agent: DeviceAgent, work: Asked): Promise<unknown> {
    try {
      const answer = await agent.run(work.recipe, work.request, work.classes, work.online, work.items);
      agent.breaker.succeeded();
      this.#learn(agent, work, answer);
      return answer;
    } catch (error) {
      if (isAppError(error) && isDeviceFailure(error.code)) {
        agent.counts.failures++;
        if (!refusesRequest(error) && !isBusy(error)) agent.breaker.failed();
        if (error.code === 'HSM_ANSWER_WRONG') void this.parts.watch().look(agent);
      }
      throw error;
    }
  }

  #learn(agent: DeviceAgent, { recipe, request, paired, keyIds }: Asked, answer: unknown): void {
    const { keyId } = request as { keyId?: string };
    if (recipe === 'destroy' && keyId !== undefined) {
      agent.keys.delete(keyId);
      this.parts.pins.destroyed(agent.name, keyId);
      if (![...this.parts.agents.values()].some((each) => each.keys.has(keyId))) this.parts.fingerprints.forget(keyId);
    } else if (keyId !== undefined && MAKES.has(recipe)) {
      agent.keys.add(keyId);
      this.parts.pins.holds(agent.name, keyId);
    } else if (recipe === 'inventory') {
      agent.keys.clear();
      for (const object of answer as { keyId: string }[]) agent.keys.add(object.keyId);
    } else if (!paired && IDEMPOTENT_RECIPES.has(recipe)) {
      this.#unproven.add(agent.name, recipe, keyIds);
    }
  }

  /** Two devices compute, equal bytes are released. A third decides between two that differ. */
  async #paired(work: Asked, group: DeviceGroup): Promise<unknown> {
    const first = await this.#withFailover(work, group, new Set());
    const second = await this.#withFailover(work, group, new Set([first.agent]));
    if (same(first.answer, second.answer)) return first.answer;
    const liar = await this.#liarOf(work, group, first, second);
    if (liar === undefined) throw new AppError('HSM_ANSWER_WRONG', { device: `${first.agent.name}, ${second.agent.name}`, what: `${work.recipe} differs` });
    return liar === first.agent ? second.answer : first.answer;
  }

  /** Two answers differ: a third device decides, and who stands alone is quarantined. Undefined = undecided; both are examined. */
  async #liarOf(work: Asked, group: DeviceGroup, first: Answered, second: Answered): Promise<DeviceAgent | undefined> {
    const third = await this.#withFailover(work, group, new Set([first.agent, second.agent])).catch(() => undefined);
    const liar = third === undefined ? undefined : same(third.answer, first.answer) ? second.agent : same(third.answer, second.answer) ? first.agent : undefined;
    if (liar === undefined) {
      for (const { agent } of [first, second]) void this.parts.watch().look(agent);
      return undefined;
    }
    this.doubt(liar);
    liar.quarantine(`${work.recipe} differs from two siblings`);
    return liar;
  }

  /**
   * Some answers of a batch of MACs, computed again by a sibling; false = the batch is not to be released. No sibling, no comparison:
   * the known answers are what is left.
   */
  async #sampleHolds(work: Asked, group: DeviceGroup, agent: DeviceAgent, answer: Uint8Array): Promise<boolean> {
    const { batch } = work.request as { batch: Uint8Array };
    const answers = readAnswers(agent.name, answer, work.items);
    for (let n = 0; n < Math.max(1, Math.floor(work.items / SAMPLED_ONE_IN)); n++) {
      const index = randomInt(work.items);
      const single = { ...work, request: { batch: sliceBatch(batch, index, index + 1) }, items: 1 };
      const again = await this.#withFailover(single, group, new Set([agent])).catch(() => undefined);
      if (again === undefined) return true;
      if (equalBytes(readAnswers(again.agent.name, again.answer as Uint8Array, 1)[0] as Uint8Array, answers[index] as Uint8Array)) continue;
      const liar = await this.#liarOf(single, group, { agent, answer: Uint8Array.of((answers[index] as Uint8Array).length, ...(answers[index] as Uint8Array)) }, again);
      if (liar === undefined) throw new AppError('HSM_ANSWER_WRONG', { device: `${agent.name}, ${again.agent.name}`, what: `${work.recipe} item ${index}` });
      if (liar === agent) return false;
    }
    return true;
  }

  async #transfer(request: RecipeRequest<'transfer'>, classes: readonly KeyClass[]): Promise<null> {
    await this.#transfers.run(request, classes);
    this.parts.pins.holds(request.to, request.keyId);
    return null;
  }

  #answerPin({ device, tokenSerial, pinId, answer }: RecipeRequest<'pinAnswer'>): null {
    const agent = this.#agent(device);
    const asked = agent.pinQuestion;
    if (asked?.tokenSerial !== tokenSerial || asked.pinId !== pinId) throw new AppError('HSM_REFUSED', { reason: `${device} asks nothing about this PIN` });
    agent.answerPin(answer);
    return null;
  }

  #note({ device, step, by, note }: RecipeRequest<'deviceNote'>): null {
    this.parts.records.note(this.#agent(device).name, step, by, note);
    return null;
  }
}

const MAKES: ReadonlySet<RecipeName> = new Set(['generateKey', 'generateKeyPair', 'importTestTransportKey', 'escrowRecover']);

function groupOf(device: string): DeviceGroup {
  return device.slice(1) as DeviceGroup;
}

function same(a: unknown, b: unknown): boolean {
  const bytes = (value: unknown): Uint8Array => (Array.isArray(value) ? Buffer.concat(value as Uint8Array[]) : (value as Uint8Array));
  return equalBytes(bytes(a), bytes(b));
}

/** Also refuses the reserved factors of card recipes: the supervisor says no before any device hears of it. */
function readPacked(recipe: PackedRecipe, batch: Uint8Array): PackedBatch {
  const packed = readBatch(batch, (item) => {
    for (const path of [item.key, item.controlKey]) {
      if (path === undefined) continue;
      for (let level = 0; level < path.factorCount; level++) {
        if (isReservedAt(batch, path.factorsAt + level * FACTOR_BYTES)) throw new AppError('FACTOR_RESERVED');
      }
    }
  });
  if (packed.recipe !== recipe) throw new AppError('REQUEST_INVALID', { reason: `${recipe}: a batch of ${packed.recipe}` });
  return packed;
}

function reasonOf(error: { issues: readonly { path: PropertyKey[]; message: string }[] }): string {
  const [first] = error.issues;
  return first === undefined ? '-' : `${first.path.map(String).join('.') || '(root)'}: ${first.message}`;
}
