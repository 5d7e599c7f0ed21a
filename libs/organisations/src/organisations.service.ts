import { createHash, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Journal, type JournalAct } from '#libs/journal';
import { Clock, zodReason } from '#libs/platform';
import { AppError, canonicalJson, isAppError, toHex } from '#libs/platform/domain';
import { csvLine } from './domain/csv.js';
import { decideAct } from './domain/decide-act.js';
import type { Institution, Region, Terminal } from './domain/organisation.js';
import { OrganisationAct } from './domain/organisation-act.js';
import type { Additions, OrganisationBook, Standing } from './domain/organisation-book.js';
import { type CodeScheme, kindRule } from './domain/organisation-kind.js';
import { decodeList, type ListEncoding, type ListFormat, type ListedRegistration, parseList, type Rejected } from './domain/organisation-list.js';
import { type CodeName, type OrganisationFilter, OrganisationsRepository, type OrganisationView } from './organisations.repository.js';

export interface ImportOrder {
  readonly bytes: Uint8Array;
  readonly format: ListFormat;
  readonly encoding: ListEncoding;
  /** `whole` enters all rows or none; `rest` leaves the refused ones out; `none` only says what would be refused. */
  readonly enter: 'whole' | 'rest' | 'none';
}

export interface ImportOutcome {
  readonly entered: number;
  readonly rejected: readonly Rejected[];
}

export type ListQuery = Omit<OrganisationFilter, 'at' | 'limit'> & { readonly at?: Date | undefined; readonly limit?: number | undefined };

const LONGEST_PAGE = 1_000;
/** Acts that must know what stands under a body. */
const ACTS_BELOW: readonly OrganisationAct['act'][] = ['recode', 'close', 'merge'];
/** Refused lines that an error names; `enter: 'none'` gives all of them. */
const NAMED_REFUSALS = 20;

/** Who exists: regions, institutions, service points, terminals and sites, and whom their codes stood for when. */
@Injectable()
export class Organisations {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: OrganisationsRepository,
    private readonly journal: Journal,
    private readonly clock: Clock,
  ) {}

  /**
   * Enters institutions and their terminals in one transaction, from now on; of `regions` (GB/T 2260, cities and districts)
   * those that are not registered yet. Throws ORGANISATION_EXISTS, ORGANISATION_UNKNOWN and others, and enters nothing.
   */
  async register(list: { regions?: readonly Region[] | undefined; institutions: readonly Institution[]; terminals: readonly Terminal[] }): Promise<void> {
    const effectiveAt = this.clock.now();
    const missing = new Set(await this.repository.notActive('region', (list.regions ?? []).map(({ code }) => code), effectiveAt));
    const regions = (list.regions ?? []).filter(({ code }) => missing.has(code));
    const rows = [
      ...regions.filter(isCity).map(({ code, name }) => ({ kind: 'city' as const, code, name, parent: undefined })),
      ...regions.filter((region) => !isCity(region)).map(({ code, name, city }) => ({ kind: 'district' as const, code, name, parent: city })),
      ...list.institutions.map(({ code, name, region }) => ({ kind: 'institution' as const, code, name, parent: region })),
      ...list.terminals.map(({ number, institutionCode }) => ({ kind: 'terminal' as const, code: number, name: number, parent: institutionCode })),
    ].map((row, i) => ({ line: i + 1, registration: { ...row, effectiveAt, reissue: false } }));
    await this.transaction(async (tx) => {
      const { additions, rejected, book } = await this.decideList(tx, rows);
      const [first] = rejected;
      if (first !== undefined) throw new AppError(first.code, first.details);
      const entryId = await this.journal.record(tx, {
        kind: 'organisations.register',
        subject: 'organisations',
        data: { institutions: list.institutions.length, terminals: list.terminals.length, regions: regions.length, digest: digestOf(rows) },
      });
      await this.store(tx, book, additions, entryId);
    });
  }

  /**
   * Enters a list in one act with one journal entry. Throws ORGANISATION_LIST_INVALID when it cannot be read, and
   * ORGANISATION_LIST_REFUSED with the first refused lines when it is to be entered whole and is not whole.
   */
  async import(order: ImportOrder): Promise<ImportOutcome> {
    const parsed = parseList(decodeList(order.bytes, order.encoding), order.format, this.clock.now());
    return this.transaction(async (tx) => {
      const decided = await this.decideList(tx, parsed.rows);
      const rejected = [...parsed.rejected, ...decided.rejected].sort((a, b) => a.line - b.line);
      if (order.enter === 'none') return { entered: 0, rejected };
      const [first] = rejected;
      if (order.enter === 'whole' && first !== undefined) {
        throw new AppError('ORGANISATION_LIST_REFUSED', { count: rejected.length, first: refusal(first), refused: rejected.slice(0, NAMED_REFUSALS).map(refusal) });
      }
      if (decided.accepted.length > 0) {
        const entryId = await this.journal.record(tx, {
          kind: 'organisations.import',
          subject: 'organisations',
          data: { rows: decided.accepted.length, refused: rejected.length, file: sha256(order.bytes), digest: digestOf(decided.accepted) },
        });
        await this.store(tx, decided.book, decided.additions, entryId);
      }
      return { entered: decided.accepted.length, rejected };
    });
  }

  /** One act on one body, with its own journal entry. Throws ORGANISATION_… by the rule that is broken, REQUEST_INVALID. */
  async act(given: OrganisationAct): Promise<void> {
    const checked = OrganisationAct.safeParse(given);
    if (!checked.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(checked.error) });
    const act = checked.data;
    await this.transaction(async (tx) => {
      const book = await this.repository.book(codesNamed(act), ACTS_BELOW.includes(act.act), tx);
      const additions = decideAct(book, act, { newId: randomUUID(), recordedAt: this.clock.now() });
      book.add(additions);
      await this.store(tx, book, additions, await this.journal.record(tx, journalled(act)));
    });
  }

  /** Whom a code stood for at a time, mergers followed; undefined when for nobody. `knownAt`: as recorded by then. */
  async resolve(scheme: CodeScheme, code: string, at: Date, knownAt?: Date): Promise<Standing | undefined> {
    return (await this.repository.book([{ scheme, code }], false)).resolve(scheme, code, at, knownAt);
  }

  /** The same for many, in their order. */
  async resolveMany(scheme: CodeScheme, wanted: readonly { readonly code: string; readonly at: Date }[]): Promise<(Standing | undefined)[]> {
    const book = await this.repository.book(wanted.map(({ code }) => ({ scheme, code })), false);
    return wanted.map(({ code, at }) => book.resolve(scheme, code, at));
  }

  /** One page by kind and code, at most 1,000 rows; `next` is the `after` of the following page. */
  async list(query: ListQuery): Promise<{ organisations: OrganisationView[]; next: OrganisationFilter['after'] }> {
    const limit = Math.min(query.limit ?? LONGEST_PAGE, LONGEST_PAGE);
    const found = await this.repository.list({ ...query, at: query.at ?? this.clock.now(), limit: limit + 1 });
    const organisations = found.slice(0, limit);
    const last = organisations.at(-1);
    return { organisations, next: found.length > limit && last !== undefined ? { kind: last.kind, code: last.code } : undefined };
  }

  /** CSV of everything that the filter lets through, with a byte order mark, so that spreadsheets take it for UTF-8. */
  async exportCsv(query: Omit<ListQuery, 'limit' | 'after'>): Promise<string> {
    const rows = await this.repository.list({ ...query, at: query.at ?? this.clock.now(), limit: 1_000_000 });
    const lines = rows.map((row) => csvLine([row.kind, row.code, row.name, row.parent ?? '', row.region ?? '', row.status, row.successor ?? '', row.effectiveAt.toISOString()]));
    return `\uFEFF${csvLine(['kind', 'code', 'name', 'parent', 'region', 'status', 'successor', 'effectiveAt'])}${lines.join('')}`;
  }

  /** Which of these codes and numbers no active institution, service point or terminal has as its own now. */
  async unknown(list: { institutions: readonly string[]; terminals: readonly string[] }): Promise<Set<string>> {
    const now = this.clock.now();
    return new Set([
      ...(await this.repository.notActive('institution', list.institutions, now)),
      ...(await this.repository.notActive('terminal', list.terminals, now)),
    ]);
  }

  /** Active bodies now; service points count as institutions. */
  async counts(): Promise<{ institutions: number; terminals: number }> {
    const counts = await this.repository.countActive(this.clock.now());
    return { institutions: (counts.institution ?? 0) + (counts.servicePoint ?? 0), terminals: counts.terminal ?? 0 };
  }

  private async decideList(tx: EntityManager, rows: readonly ListedRegistration[]) {
    const book = await this.repository.book(rows.flatMap(({ registration }) => codesNamed({ act: 'register', ...registration })), false, tx);
    const recordedAt = this.clock.now();
    const all: Additions[] = [];
    const accepted: ListedRegistration[] = [];
    const rejected: Rejected[] = [];
    for (const row of rows) {
      try {
        const additions = decideAct(book, { act: 'register', ...row.registration }, { newId: randomUUID(), recordedAt });
        book.add(additions);
        all.push(additions);
        accepted.push(row);
      } catch (error) {
        if (!isAppError(error)) throw error;
        rejected.push({ line: row.line, code: error.code, details: error.details });
      }
    }
    const additions: Additions = { organisations: all.flatMap((each) => each.organisations), states: all.flatMap((each) => each.states), codes: all.flatMap((each) => each.codes) };
    return { book, additions, accepted, rejected };
  }

  private async store(tx: EntityManager, book: OrganisationBook, additions: Additions, entryId: string): Promise<void> {
    await this.repository.insert(tx, additions, entryId);
    const issued = additions.codes.filter((event) => event.meaning === 'issued');
    const above = (organisationId: string, at: Date): string => {
      const parentId = book.lastState(organisationId)?.parentId;
      return (parentId === undefined ? undefined : book.codeOf(parentId, at)) ?? '';
    };
    const of = (scheme: CodeScheme) => issued.filter((event) => event.scheme === scheme);
    await this.repository.insertInstitutionCodes(
      tx,
      of('institution').map((event) => ({ code: event.code, name: book.lastState(event.organisationId)?.name ?? '', region: above(event.organisationId, event.effectiveAt) })),
      entryId,
    );
    await this.repository.insertTerminalNumbers(tx, of('terminal').map((event) => ({ number: event.code, institutionCode: above(event.organisationId, event.effectiveAt) })), entryId);
  }

  private async transaction<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await this.dataSource.transaction(async (tx) => {
        await this.repository.lock(tx);
        return work(tx);
      });
    } catch (error) {
      const { code, detail } = error as { code?: string; detail?: string };
      if (code === '23505') throw new AppError('ORGANISATION_CHANGED', { reason: detail ?? '' }, { cause: error });
      throw error;
    }
  }
}

const isCity = ({ city }: Region): boolean => city === undefined;

/** Every code that an act names, in its scheme. */
function codesNamed(act: OrganisationAct): CodeName[] {
  const { scheme, parentScheme } = kindRule(act.kind);
  const own = [act.code, ...('newCode' in act && act.newCode !== undefined ? [act.newCode] : []), ...('into' in act ? [act.into] : [])];
  const above = 'parent' in act && act.parent !== undefined && parentScheme !== undefined ? [{ scheme: parentScheme, code: act.parent }] : [];
  return [...own.map((code) => ({ scheme, code })), ...above];
}

function journalled(act: OrganisationAct): JournalAct {
  const { act: kind, effectiveAt, ...rest } = act;
  const named = 'name' in rest ? { ...rest, name: sha256(new TextEncoder().encode(rest.name)) } : rest;
  const data = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  return { kind: `organisations.${kind}`, subject: `${act.kind}/${act.code}`, data: { ...data, effectiveAt: effectiveAt.toISOString() } };
}

function digestOf(rows: readonly ListedRegistration[]): string {
  const listed = rows.map(({ registration: { parent, effectiveAt, ...rest } }) => ({ ...rest, parent: parent ?? null, effectiveAt: effectiveAt.toISOString() }));
  return sha256(canonicalJson(listed));
}

const sha256 = (bytes: Uint8Array): string => toHex(createHash('sha256').update(bytes).digest());

const refusal = ({ line, code, details }: Rejected): string => `line ${line}: ${code} ${Object.values(details).join(' ')}`;
