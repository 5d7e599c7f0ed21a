import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Journal } from '#libs/journal';
import { AppError, canonicalJson, toHex } from '#libs/platform/domain';
import type { Institution, Terminal } from './domain/organisation.js';

@Injectable()
export class Organisations {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
  ) {}

  /**
   * Enters institutions and their terminals in one transaction; the journal entry carries the digest of the whole list.
   * Throws ORGANISATION_EXISTS or ORGANISATION_UNKNOWN and enters nothing.
   */
  async register(list: { institutions: readonly Institution[]; terminals: readonly Terminal[] }): Promise<void> {
    const digest = toHex(createHash('sha256').update(canonicalJson({ institutions: list.institutions, terminals: list.terminals })).digest());
    try {
      await this.dataSource.transaction(async (tx) => {
        const entryId = await this.journal.record(tx, {
          kind: 'organisations.register',
          subject: 'organisations',
          data: { institutions: list.institutions.length, terminals: list.terminals.length, digest },
        });
        await tx.query(
          'INSERT INTO institution (code, name, region, entry_id) SELECT c, n, r, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS t(c, n, r)',
          [list.institutions.map((i) => i.code), list.institutions.map((i) => i.name), list.institutions.map((i) => i.region), entryId],
        );
        await tx.query(
          'INSERT INTO terminal (number, institution_code, entry_id) SELECT n, c, $3 FROM unnest($1::text[], $2::text[]) AS t(n, c)',
          [list.terminals.map((t) => t.number), list.terminals.map((t) => t.institutionCode), entryId],
        );
      });
    } catch (error) {
      const { code, detail } = error as { code?: string; detail?: string };
      if (code === '23505') throw new AppError('ORGANISATION_EXISTS', { reason: detail ?? '' }, { cause: error });
      if (code === '23503') throw new AppError('ORGANISATION_UNKNOWN', { reason: detail ?? '' }, { cause: error });
      throw error;
    }
  }

  /** Which of these codes and numbers are not registered. */
  async unknown(list: { institutions: readonly string[]; terminals: readonly string[] }): Promise<Set<string>> {
    const rows: { id: string }[] = await this.dataSource.query(
      `SELECT i.id FROM unnest($1::text[]) AS i(id) WHERE NOT EXISTS (SELECT 1 FROM institution WHERE code = i.id)
       UNION SELECT t.id FROM unnest($2::text[]) AS t(id) WHERE NOT EXISTS (SELECT 1 FROM terminal WHERE number = t.id)`,
      [list.institutions, list.terminals],
    );
    return new Set(rows.map((row) => row.id));
  }

  async counts(): Promise<{ institutions: number; terminals: number }> {
    const [row]: { institutions: string; terminals: string }[] = await this.dataSource.query(
      'SELECT (SELECT count(*) FROM institution) AS institutions, (SELECT count(*) FROM terminal) AS terminals',
    );
    return { institutions: Number(row?.institutions), terminals: Number(row?.terminals) };
  }
}
