import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { KeyCopy, KeyRecord } from './key-record.js';
import type { KeyState } from './domain/key-state.js';

interface KeyRow {
  key_id: string;
  label: string;
  key_class: KeyRecord['keyClass'];
  algorithm: KeyRecord['algorithm'];
  state: KeyState;
  kcv: string | null;
  kcv_method: KeyRecord['kcvMethod'] | null;
  fingerprint: string | null;
  public_key: Buffer | null;
  copies: { device: string; token_serial: string; state: KeyCopy['state'] }[];
}

const SELECT = `
  SELECT k.key_id, k.label, k.key_class, k.algorithm, k.state, k.kcv, k.kcv_method, k.fingerprint, k.public_key,
         coalesce((SELECT json_agg(json_build_object('device', c.device, 'token_serial', c.token_serial, 'state', c.state) ORDER BY c.device)
                   FROM key_copy c WHERE c.key_id = k.key_id), '[]') AS copies
  FROM key_record k`;

/** What a finished generation adds to the planned row. */
export type KeyMaterial = { kcv: string; kcvMethod: string; fingerprint: string } | { publicKey: Uint8Array };

/** Journal entry of a generation that nobody waited for, and that failed. */
export const GENERATE_FAILED = 'keys.generateFailed';

/** `code` is an ErrorCode; `reason` what its text is filled with. */
export interface KeyFailure {
  readonly code: string;
  readonly reason: string;
  readonly at: string;
}

@Injectable()
export class KeysRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** The key of this label; one whose generation was given up only when there is no other. */
  async find(label: string): Promise<KeyRecord | undefined> {
    const rows: KeyRow[] = await this.dataSource.query(`${SELECT} WHERE k.label = $1 ORDER BY k.state = 'aborted', k.created_at DESC LIMIT 1`, [label]);
    return rows[0] === undefined ? undefined : record(rows[0]);
  }

  async list(where = 'true'): Promise<KeyRecord[]> {
    const rows: KeyRow[] = await this.dataSource.query(`${SELECT} WHERE ${where} ORDER BY k.created_at, k.label`);
    return rows.map(record);
  }

  /**
   * Keys with an intent that never got its outcome: of their own, of a copy, or a signing pair that was made and not yet
   * put into use.
   */
  listUnsettled(): Promise<KeyRecord[]> {
    return this.list(`k.state = 'planned' OR (k.state = 'preActive' AND k.public_key IS NOT NULL)
      OR EXISTS (SELECT 1 FROM key_copy c WHERE c.key_id = k.key_id AND c.state = 'planned')`);
  }

  /** Copies that were given up: nothing may stand in their device under their CKA_ID. */
  async listAbortedCopies(): Promise<{ keyId: string; label: string; device: string }[]> {
    const rows: { key_id: string; label: string; device: string }[] = await this.dataSource.query(
      `SELECT c.key_id, k.label, c.device FROM key_copy c JOIN key_record k USING (key_id) WHERE c.state = 'aborted' ORDER BY c.key_id, c.device`,
    );
    return rows.map((row) => ({ keyId: row.key_id, label: row.label, device: row.device }));
  }

  async lastFailure(keyId: string): Promise<KeyFailure | undefined> {
    const rows: { body: Buffer }[] = await this.dataSource.query('SELECT body FROM journal_stage WHERE subject = $1 AND kind = $2 ORDER BY recorded_at DESC LIMIT 1', [keyId, GENERATE_FAILED]);
    return rows.map(({ body }) => {
      const { at, data } = JSON.parse(body.toString('utf8')) as { at: string; data: { code: string; reason: string } };
      return { code: data.code, reason: data.reason, at };
    })[0];
  }

  async insertPlanned(
    tx: EntityManager,
    key: Pick<KeyRecord, 'keyId' | 'label' | 'keyClass' | 'algorithm'>,
    at: Date,
    entryId: string,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO key_record (key_id, label, key_class, algorithm, state, created_at, entry_id)
       VALUES ($1, $2, $3, $4, 'planned', $5, $6)`,
      [key.keyId, key.label, key.keyClass, key.algorithm, at, entryId],
    );
  }

  async setState(tx: EntityManager, keyId: string, state: KeyState, entryId: string): Promise<void> {
    await tx.query('UPDATE key_record SET state = $2, entry_id = $3 WHERE key_id = $1', [keyId, state, entryId]);
  }

  async setMaterial(tx: EntityManager, keyId: string, material: KeyMaterial, entryId: string): Promise<void> {
    const row = 'publicKey' in material ? [null, null, null, Buffer.from(material.publicKey)] : [material.kcv, material.kcvMethod, material.fingerprint, null];
    await tx.query(
      `UPDATE key_record SET state = 'preActive', kcv = $2, kcv_method = $3, fingerprint = $4, public_key = $5, entry_id = $6 WHERE key_id = $1`,
      [keyId, ...row, entryId],
    );
  }

  async putCopy(tx: EntityManager, keyId: string, copy: KeyCopy, entryId: string): Promise<void> {
    await tx.query(
      `INSERT INTO key_copy (key_id, device, token_serial, state, entry_id) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (key_id, device) DO UPDATE SET token_serial = $3, state = $4, entry_id = $5`,
      [keyId, copy.device, copy.tokenSerial, copy.state, entryId],
    );
  }
}

function record(row: KeyRow): KeyRecord {
  return {
    keyId: row.key_id,
    label: row.label,
    keyClass: row.key_class,
    algorithm: row.algorithm,
    state: row.state,
    kcv: row.kcv ?? undefined,
    kcvMethod: row.kcv_method ?? undefined,
    fingerprint: row.fingerprint ?? undefined,
    publicKey: row.public_key === null ? undefined : Uint8Array.from(row.public_key),
    copies: row.copies.map((copy) => ({ device: copy.device, tokenSerial: copy.token_serial, state: copy.state })),
  };
}
