import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type Additions, type CodeEvent, OrganisationBook, type OrganisationState, type OrganisationStatus } from './domain/organisation-book.js';
import type { CodeScheme, OrganisationKind } from './domain/organisation-kind.js';

export interface CodeName {
  readonly scheme: CodeScheme;
  readonly code: string;
}

/** What holds of a body at a time. */
export interface OrganisationView {
  readonly kind: OrganisationKind;
  readonly code: string;
  readonly name: string;
  /** Code of the body above. */
  readonly parent: string | undefined;
  /** GB/T 2260 code of the region it stands in. */
  readonly region: string | undefined;
  readonly status: OrganisationStatus;
  /** Own code of the body it went into. */
  readonly successor: string | undefined;
  readonly effectiveAt: Date;
}

export interface OrganisationFilter {
  readonly at: Date;
  readonly kinds?: readonly OrganisationKind[] | undefined;
  /** First digits of a GB/T 2260 code. */
  readonly regionPrefix?: string | undefined;
  readonly status?: OrganisationStatus | undefined;
  /** The last row of the page before. */
  readonly after?: { readonly kind: OrganisationKind; readonly code: string } | undefined;
  readonly limit: number;
}

type Sql = Pick<EntityManager, 'query'>;
const ROWS = 10_000;

/** The state of a body at $1. */
const stateOf = (id: string): string =>
  `(SELECT name, parent_id, status, successor_id, effective_at FROM organisation_state WHERE organisation_id = ${id} AND effective_at <= $1 ORDER BY sequence DESC LIMIT 1)`;
/** A body's own code at $1: issued to it, and nothing later about that code. */
const codeOf = (id: string): string =>
  `(SELECT c.scheme, c.code FROM organisation_code c WHERE c.organisation_id = ${id} AND c.meaning = 'issued' AND c.effective_at <= $1
    AND NOT EXISTS (SELECT 1 FROM organisation_code l WHERE l.scheme = c.scheme AND l.code = c.code AND l.sequence > c.sequence AND l.effective_at <= $1) LIMIT 1)`;

@Injectable()
export class OrganisationsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** One act on the register at a time: two mergers that each look right can be a ring together. */
  async lock(tx: EntityManager): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtext('hufu/organisations'))`);
  }

  /** The part of the book that these codes lead to: their bodies, what these went into, what stands above; `below` too if wanted. */
  async book(codes: readonly CodeName[], below: boolean, tx: Sql = this.dataSource): Promise<OrganisationBook> {
    const names = [codes.map((each) => each.scheme), codes.map((each) => each.code)];
    const found: { id: string }[] = await tx.query(
      `WITH RECURSIVE found (id) AS (
         SELECT c.organisation_id FROM organisation_code c JOIN unnest($1::text[], $2::text[]) AS w (scheme, code) ON c.scheme = w.scheme AND c.code = w.code
         UNION SELECT n.id FROM found f JOIN organisation_state s ON s.organisation_id = f.id CROSS JOIN LATERAL (VALUES (s.parent_id), (s.successor_id)) AS n (id)
         WHERE n.id IS NOT NULL)
       SELECT id FROM found`,
      names,
    );
    const ids = new Set(found.map((row) => row.id));
    if (below) {
      const children: { id: string }[] = await tx.query(
        `SELECT DISTINCT s.organisation_id AS id FROM organisation_state s JOIN organisation_code c ON c.organisation_id = s.parent_id
         JOIN unnest($1::text[], $2::text[]) AS w (scheme, code) ON c.scheme = w.scheme AND c.code = w.code`,
        names,
      );
      for (const { id } of children) ids.add(id);
    }
    const wanted = [[...ids]];
    return OrganisationBook.of({
      organisations: await tx.query('SELECT organisation_id AS "organisationId", kind FROM organisation WHERE organisation_id = ANY($1)', wanted),
      states: ((await tx.query(
        `SELECT organisation_id AS "organisationId", sequence, name, parent_id AS "parentId", status, successor_id AS "successorId", effective_at AS "effectiveAt", recorded_at AS "recordedAt"
         FROM organisation_state WHERE organisation_id = ANY($1) ORDER BY organisation_id, sequence`,
        wanted,
      )) as (OrganisationState & { parentId: string | null; successorId: string | null })[]).map((row) => ({ ...row, parentId: row.parentId ?? undefined, successorId: row.successorId ?? undefined })),
      // A code that these bodies had may have been others' before or after: the whole history of each code.
      codes: (await tx.query(
        `SELECT scheme, code, sequence, organisation_id AS "organisationId", meaning, effective_at AS "effectiveAt", recorded_at AS "recordedAt" FROM organisation_code
         WHERE (scheme, code) IN (SELECT scheme, code FROM organisation_code WHERE organisation_id = ANY($1)) ORDER BY scheme, code, sequence`,
        wanted,
      )) as CodeEvent[],
    });
  }

  async insert(tx: EntityManager, { organisations, states, codes }: Additions, entryId: string): Promise<void> {
    await inParts(organisations, (part) =>
      tx.query('INSERT INTO organisation (organisation_id, kind, entry_id) SELECT id, k, $3 FROM unnest($1::uuid[], $2::text[]) AS t (id, k)', [
        part.map((each) => each.organisationId), part.map((each) => each.kind), entryId,
      ]),
    );
    await inParts(states, (part) =>
      tx.query(
        `INSERT INTO organisation_state (organisation_id, sequence, name, parent_id, status, successor_id, effective_at, recorded_at, entry_id)
         SELECT t.*, $9 FROM unnest($1::uuid[], $2::int[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::timestamptz[], $8::timestamptz[]) AS t`,
        [
          part.map((each) => each.organisationId), part.map((each) => each.sequence), part.map((each) => each.name), part.map((each) => each.parentId ?? null),
          part.map((each) => each.status), part.map((each) => each.successorId ?? null), part.map((each) => each.effectiveAt.toISOString()),
          part.map((each) => each.recordedAt.toISOString()), entryId,
        ],
      ),
    );
    await inParts(codes, (part) =>
      tx.query(
        `INSERT INTO organisation_code (scheme, code, sequence, organisation_id, meaning, effective_at, recorded_at, entry_id)
         SELECT t.*, $8 FROM unnest($1::text[], $2::text[], $3::int[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[]) AS t`,
        [
          part.map((each) => each.scheme), part.map((each) => each.code), part.map((each) => each.sequence), part.map((each) => each.organisationId),
          part.map((each) => each.meaning), part.map((each) => each.effectiveAt.toISOString()), part.map((each) => each.recordedAt.toISOString()), entryId,
        ],
      ),
    );
  }

  /** The codes that rows of other rooms may name. A code that is given on stands there already. */
  async insertInstitutionCodes(tx: EntityManager, rows: readonly { code: string; name: string; region: string }[], entryId: string): Promise<void> {
    await inParts(rows, (part) =>
      tx.query('INSERT INTO institution (code, name, region, entry_id) SELECT c, n, r, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS t (c, n, r) ON CONFLICT DO NOTHING', [
        part.map((each) => each.code), part.map((each) => each.name), part.map((each) => each.region), entryId,
      ]),
    );
  }

  async insertTerminalNumbers(tx: EntityManager, rows: readonly { number: string; institutionCode: string }[], entryId: string): Promise<void> {
    await inParts(rows, (part) =>
      tx.query('INSERT INTO terminal (number, institution_code, entry_id) SELECT n, c, $3 FROM unnest($1::text[], $2::text[]) AS t (n, c) ON CONFLICT DO NOTHING', [
        part.map((each) => each.number), part.map((each) => each.institutionCode), entryId,
      ]),
    );
  }

  async list(filter: OrganisationFilter): Promise<OrganisationView[]> {
    const rows: (Omit<OrganisationView, 'parent' | 'region' | 'successor'> & { parent: string | null; region: string | null; successor: string | null })[] = await this.dataSource.query(
      // Laterals, since a freshly loaded register has no statistics yet and every join by hash or merge would be a guess.
      `SELECT o.kind, own.code, s.name, p.code AS parent, s.status, n.code AS successor, s.effective_at AS "effectiveAt", r.region
       FROM organisation o
       JOIN LATERAL ${codeOf('o.organisation_id')} own ON true
       JOIN LATERAL ${stateOf('o.organisation_id')} s ON true
       LEFT JOIN LATERAL ${codeOf('s.parent_id')} p ON true
       LEFT JOIN LATERAL ${stateOf('s.parent_id')} ps ON p.scheme = 'institution'
       LEFT JOIN LATERAL ${codeOf('ps.parent_id')} g ON true
       LEFT JOIN LATERAL ${codeOf('s.successor_id')} n ON true
       CROSS JOIN LATERAL (SELECT CASE WHEN own.scheme = 'region' THEN own.code WHEN p.scheme = 'region' THEN p.code ELSE g.code END AS region) r
       WHERE ($2::text[] IS NULL OR o.kind = ANY($2)) AND ($3::text IS NULL OR starts_with(r.region, $3)) AND ($4::text IS NULL OR s.status = $4)
         AND ($5::text IS NULL OR (o.kind, own.code) > ($5, $6))
       ORDER BY o.kind, own.code LIMIT $7`,
      [filter.at.toISOString(), filter.kinds ?? null, filter.regionPrefix ?? null, filter.status ?? null, filter.after?.kind ?? null, filter.after?.code ?? null, filter.limit],
    );
    return rows.map((row) => ({ ...row, parent: row.parent ?? undefined, region: row.region ?? undefined, successor: row.successor ?? undefined }));
  }

  /** Those of these codes that no active body has as its own at a time. */
  async notActive(scheme: CodeScheme, codes: readonly string[], at: Date): Promise<string[]> {
    const rows: { code: string }[] = await this.dataSource.query(
      `SELECT DISTINCT w.code FROM unnest($3::text[]) AS w (code) WHERE NOT EXISTS (
         SELECT 1 FROM (SELECT organisation_id, meaning FROM organisation_code WHERE scheme = $2 AND code = w.code AND effective_at <= $1 ORDER BY sequence DESC LIMIT 1) c
         JOIN LATERAL (SELECT status FROM organisation_state s WHERE s.organisation_id = c.organisation_id AND effective_at <= $1 ORDER BY sequence DESC LIMIT 1) s ON true
         WHERE c.meaning = 'issued' AND s.status = 'active')`,
      [at.toISOString(), scheme, codes],
    );
    return rows.map((row) => row.code);
  }

  async countActive(at: Date): Promise<Partial<Record<OrganisationKind, number>>> {
    const rows: { kind: OrganisationKind; count: number }[] = await this.dataSource.query(
      `SELECT o.kind, count(*)::int AS count FROM organisation o JOIN LATERAL ${stateOf('o.organisation_id')} s ON s.status = 'active' GROUP BY o.kind`,
      [at.toISOString()],
    );
    return Object.fromEntries(rows.map((row) => [row.kind, row.count]));
  }
}

async function inParts<T>(rows: readonly T[], insert: (part: readonly T[]) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < rows.length; i += ROWS) await insert(rows.slice(i, i + ROWS));
}
