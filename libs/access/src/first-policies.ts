import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { QuorumPolicy } from '#libs/signature';
import { ROLE_NAMES, type RoleName } from './domain/role.js';

const Needs = z.partialRecord(z.enum(ROLE_NAMES), z.int());

/** The approver list that the first operators brought: kept to know what a quorum needs. */
@Injectable()
export class FirstPolicies {
  constructor(private readonly dataSource: DataSource) {}

  async insert(tx: EntityManager, row: { readonly policy: QuorumPolicy; readonly digest: string; readonly at: Date; readonly entryId: string }): Promise<void> {
    await tx.query('INSERT INTO access_initialisation (policy, policy_digest, recorded_at, entry_id) VALUES ($1, $2, $3, $4)', [JSON.stringify(row.policy), row.digest, row.at, row.entryId]);
  }

  async exists(tx: EntityManager): Promise<boolean> {
    const rows: unknown[] = await tx.query('SELECT 1 FROM access_initialisation UNION ALL SELECT 1 FROM person');
    return rows.length > 0;
  }

  /** Digest of the policy that the first operators brought; undefined before there are any. */
  async digest(): Promise<string | undefined> {
    const rows: { policy_digest: string }[] = await this.dataSource.query('SELECT policy_digest FROM access_initialisation');
    return rows[0]?.policy_digest;
  }

  /** The most that any rule wants of a role; empty before there is a policy. */
  async needs(): Promise<Partial<Record<RoleName, number>>> {
    const [row]: { policy: unknown }[] = await this.dataSource.query('SELECT policy FROM access_initialisation');
    if (row === undefined) return {};
    const policy = QuorumPolicy.parse(row.policy);
    const most: Record<string, number> = {};
    for (const { roles } of [...Object.values(policy.rules), policy.amend]) for (const [role, least] of Object.entries(roles)) most[role] = Math.max(most[role] ?? 0, least);
    return Needs.parse(most);
  }
}
