import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError } from '#libs/platform/domain';
import { contentDigest, type CredentialMaterial } from '../domain/credential-material.js';
import type { CREDENTIAL_METHODS, CREDENTIAL_PURPOSES } from '../domain/record.js';

export type Method = (typeof CREDENTIAL_METHODS)[number];
export type Purpose = (typeof CREDENTIAL_PURPOSES)[number];
/** What reads: a transaction or the pool. */
type Reader = Pick<EntityManager, 'query'>;

export interface Challenge {
  readonly challengeId: string;
  readonly challenge: Uint8Array;
  readonly operatorId: string;
  readonly method: 'webauthn' | 'ukey';
  readonly purpose: 'signIn' | 'stepUp';
  readonly expiresAt: Date;
}

export interface EnrolmentCode {
  readonly codeDigest: string;
  readonly operatorId: string;
  readonly purpose: Purpose;
  readonly method: Method;
  /** Undefined at the initialisation, when nobody is there to give it. */
  readonly byOperatorId: string | undefined;
  readonly expiresAt: Date;
  readonly recordedAt: Date;
}

interface MaterialRow {
  readonly key_digest: string;
  readonly operator_id: string;
  readonly purpose: Purpose;
  readonly method: Method;
  readonly algorithm: CredentialMaterial['algorithm'];
  readonly public_key: Buffer;
  readonly rp_id: string | null;
  readonly origins: string[];
  readonly webauthn_id: Buffer;
  readonly aaguid: string;
  readonly attestation_object: Buffer;
  readonly client_data_json: Buffer;
  readonly sign_count: string;
  readonly kind: string;
  readonly body: Buffer;
}

/** One number for "sign-in of one account" (with a hash of the account: pg_advisory_xact_lock): attempts are judged one after the other. */
const SIGN_IN_LOCK = 0x4855_5349;
const MATERIAL = 'SELECT m.*, j.kind, j.body FROM credential_material m JOIN journal_stage j ON j.id = m.entry_id';

/** Codes, material and challenges. What authorises is compared with its journal entry when it is read. */
@Injectable()
export class SignInRepository {
  constructor(private readonly dataSource: DataSource) {}

  write<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource.transaction(work);
  }

  get pool(): Reader {
    return this.dataSource;
  }

  async lockAccount(tx: EntityManager, operatorId: string): Promise<void> {
    await tx.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [SIGN_IN_LOCK, operatorId]);
  }

  async insertCode(tx: EntityManager, row: EnrolmentCode, entryId: string): Promise<void> {
    await tx.query(
      'INSERT INTO enrolment_code (code_digest, operator_id, purpose, method, by_operator_id, expires_at, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
      [row.codeDigest, row.operatorId, row.purpose, row.method, row.byOperatorId ?? null, row.expiresAt, row.recordedAt, entryId],
    );
  }

  /** A code that may still be used. */
  async openCode(codeDigest: string, at: Date): Promise<Pick<EnrolmentCode, 'operatorId' | 'purpose' | 'method'> | undefined> {
    const rows: { operator_id: string; purpose: Purpose; method: Method }[] = await this.pool.query(
      'SELECT operator_id, purpose, method FROM enrolment_code c WHERE code_digest = $1 AND expires_at > $2 AND NOT EXISTS (SELECT 1 FROM credential_material m WHERE m.code_digest = c.code_digest)',
      [codeDigest, at],
    );
    return rows[0] && { operatorId: rows[0].operator_id, purpose: rows[0].purpose, method: rows[0].method };
  }

  /** False when code, key or authenticator credential were used by another enrolment meanwhile: nothing is written then. */
  async insertMaterial(tx: EntityManager, codeDigest: string, material: CredentialMaterial, at: Date, entryId: string): Promise<boolean> {
    const { webauthn } = material;
    const rows: unknown[] = await tx.query(
      `INSERT INTO credential_material (key_digest, code_digest, operator_id, purpose, method, algorithm, public_key, rp_id, origins, webauthn_id, aaguid, attestation_object, client_data_json, sign_count, recorded_at, entry_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING RETURNING key_digest`,
      [
        ...[material.keyDigest, codeDigest, material.operatorId, material.purpose, material.method, material.algorithm, Buffer.from(material.publicKey)],
        ...(webauthn === null ? [null, null, null, null, null, null, null] : [webauthn.rpId, webauthn.origins, Buffer.from(webauthn.credentialId), webauthn.aaguid, Buffer.from(webauthn.attestationObject), Buffer.from(webauthn.clientDataJson), webauthn.signCount]),
        ...[at, entryId],
      ],
    );
    return rows.length === 1;
  }

  /** Throws ACCESS_ROW_ALTERED. */
  async materialByKey(keyDigest: string, db: Reader = this.pool): Promise<CredentialMaterial | undefined> {
    return (await this.materials(db, `${MATERIAL} WHERE m.key_digest = $1`, [keyDigest]))[0];
  }

  /** A key that was enrolled serves whom, what and how it was enrolled for. One that was not enrolled has no material yet. Throws CREDENTIAL_FOREIGN. */
  async requireOwn(named: { readonly keyDigest: string; readonly operatorId: string; readonly purpose: Purpose; readonly method: Method }, db: Reader): Promise<void> {
    const material = await this.materialByKey(named.keyDigest, db);
    if (material !== undefined && (material.operatorId !== named.operatorId || material.purpose !== named.purpose || material.method !== named.method)) throw new AppError('CREDENTIAL_FOREIGN');
  }

  async materialByCredentialId(operatorId: string, credentialId: Uint8Array): Promise<CredentialMaterial | undefined> {
    return (await this.materials(this.pool, `${MATERIAL} WHERE m.operator_id = $1 AND m.webauthn_id = $2`, [operatorId, Buffer.from(credentialId)]))[0];
  }

  /** Ids of the authenticator credentials of an account that may serve now; the same work for an account that does not exist. */
  async credentialIds(operatorId: string, purpose: Purpose, at: Date): Promise<Uint8Array[]> {
    const rows: { webauthn_id: Buffer }[] = await this.pool.query(
      `SELECT m.webauthn_id FROM credential_material m JOIN operator_credential c USING (key_digest)
       WHERE m.operator_id = $1 AND m.purpose = $2 AND m.method = 'webauthn' AND c.valid_from <= $3 AND c.valid_until > $3
         AND NOT EXISTS (SELECT 1 FROM access_withdrawal w WHERE w.row_id = c.credential_id AND w.effective_at <= $3)
         AND NOT EXISTS (SELECT 1 FROM credential_block b WHERE b.key_digest = m.key_digest)
       ORDER BY c.valid_from`,
      [operatorId, purpose, at],
    );
    return rows.map((row) => Uint8Array.from(row.webauthn_id));
  }

  /** Account of a registered key. */
  async credentialByKey(keyDigest: string): Promise<{ operatorId: string; credentialId: string } | undefined> {
    const rows: { operator_id: string; credential_id: string }[] = await this.pool.query('SELECT operator_id, credential_id FROM operator_credential WHERE key_digest = $1', [keyDigest]);
    return rows[0] && { operatorId: rows[0].operator_id, credentialId: rows[0].credential_id };
  }

  /** What expired goes, so that the table holds two minutes. */
  async insertChallenge(challenge: Challenge, source: string, at: Date): Promise<void> {
    await this.pool.query('DELETE FROM sign_in_challenge WHERE expires_at <= $1', [at]);
    await this.pool.query('INSERT INTO sign_in_challenge (challenge_id, challenge, operator_id, method, purpose, source, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)', [
      ...[challenge.challengeId, Buffer.from(challenge.challenge), challenge.operatorId, challenge.method, challenge.purpose, source, challenge.expiresAt],
    ]);
  }

  async challengesFrom(source: string, at: Date): Promise<number> {
    const [row]: { n: number }[] = await this.pool.query('SELECT count(*)::int AS n FROM sign_in_challenge WHERE source = $1 AND expires_at > $2', [source, at]);
    return row?.n ?? 0;
  }

  async challengedOperator(challengeId: string): Promise<string | undefined> {
    const rows: { operator_id: string }[] = await this.pool.query('SELECT operator_id FROM sign_in_challenge WHERE challenge_id = $1', [challengeId]);
    return rows[0]?.operator_id;
  }

  /** Once: whoever asks second, in whatever process, finds nothing. */
  async takeChallenge(tx: EntityManager, challengeId: string): Promise<Challenge | undefined> {
    const [rows]: [{ challenge: Buffer; operator_id: string; method: Challenge['method']; purpose: Challenge['purpose']; expires_at: Date }[], number] = await tx.query(
      'DELETE FROM sign_in_challenge WHERE challenge_id = $1 RETURNING challenge, operator_id, method, purpose, expires_at',
      [challengeId],
    );
    const row = rows[0];
    return row && { challengeId, challenge: Uint8Array.from(row.challenge), operatorId: row.operator_id, method: row.method, purpose: row.purpose, expiresAt: row.expires_at };
  }

  /** The highest count that this authenticator has shown. */
  async lastCount(tx: EntityManager, { keyDigest, webauthn }: CredentialMaterial): Promise<number> {
    const [row]: { last: string | null }[] = await tx.query('SELECT max(sign_count) AS last FROM credential_count WHERE key_digest = $1', [keyDigest]);
    return Math.max(webauthn?.signCount ?? 0, Number(row?.last ?? 0));
  }

  async insertCount(tx: EntityManager, keyDigest: string, signCount: number, at: Date, entryId: string): Promise<void> {
    await tx.query('INSERT INTO credential_count (key_digest, sign_count, recorded_at, entry_id) VALUES ($1, $2, $3, $4)', [keyDigest, signCount, at, entryId]);
  }

  async isBlocked(tx: Reader, keyDigest: string): Promise<boolean> {
    return ((await tx.query('SELECT 1 FROM credential_block WHERE key_digest = $1', [keyDigest])) as unknown[]).length > 0;
  }

  async block(tx: EntityManager, keyDigest: string, operatorId: string, at: Date, entryId: string): Promise<void> {
    await tx.query(`INSERT INTO credential_block (key_digest, operator_id, reason, recorded_at, entry_id) VALUES ($1, $2, 'authenticatorCloned', $3, $4) ON CONFLICT DO NOTHING`, [keyDigest, operatorId, at, entryId]);
  }

  private async materials(db: Reader, sql: string, parameters: unknown[]): Promise<CredentialMaterial[]> {
    return ((await db.query(sql, parameters)) as MaterialRow[]).map((row) => {
      const material = materialOf(row);
      const { data } = JSON.parse(row.body.toString('utf8')) as { data: { material?: string } };
      if (row.kind !== 'signIn.enrolled' || data.material !== contentDigest(material)) throw new AppError('ACCESS_ROW_ALTERED', { personId: row.operator_id });
      return material;
    });
  }
}

function materialOf(row: MaterialRow): CredentialMaterial {
  const webauthn =
    row.rp_id === null
      ? null
      : {
          rpId: row.rp_id,
          origins: row.origins,
          credentialId: Uint8Array.from(row.webauthn_id),
          aaguid: row.aaguid,
          attestationObject: Uint8Array.from(row.attestation_object),
          clientDataJson: Uint8Array.from(row.client_data_json),
          signCount: Number(row.sign_count),
        };
  return { keyDigest: row.key_digest, operatorId: row.operator_id, purpose: row.purpose, method: row.method, algorithm: row.algorithm, publicKey: Uint8Array.from(row.public_key), webauthn };
}
