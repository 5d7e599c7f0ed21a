import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Holder } from './domain/enrolment.js';

/** A certificate that is about to be signed: everything that its intent row holds. */
export interface CertificateIntent {
  readonly serial: string;
  readonly profile: string;
  readonly holder: Holder;
  /** CKA_ID and device, when the key is in a token. */
  readonly tokenKey: { readonly keyId: string; readonly device: string } | undefined;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly publicKeyDigest: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The exact bytes to be signed. */
  readonly tbs: Uint8Array;
}

export interface CertificateRecord {
  readonly issuerCaId: string;
  readonly serial: string;
  readonly profile: string;
  readonly holder: Holder;
  readonly publicKeyDigest: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly tbs: Uint8Array;
  /** undefined: intent without outcome. It counts as issued. */
  readonly certificate: Uint8Array | undefined;
}

/** A token key, where it is, and the certificate that speaks for it. */
export interface TokenCertificateRecord {
  readonly keyId: string;
  readonly device: string;
  readonly issuerCaId: string;
  readonly certificate: Uint8Array;
}

interface CertificateRow {
  issuer_ca_id: string;
  serial: string;
  profile: string;
  holder_kind: Holder['kind'];
  holder: string;
  public_key_digest: Buffer;
  not_before: Date;
  not_after: Date;
  tbs: Buffer;
  certificate: Buffer | null;
}

const COLUMNS = 'issuer_ca_id, serial, profile, holder_kind, holder, public_key_digest, not_before, not_after, tbs, certificate';

@Injectable()
export class CertificateRepository {
  constructor(private readonly dataSource: DataSource) {}

  async insertIntents(tx: EntityManager, issuerCaId: string, intents: readonly CertificateIntent[], at: Date, entryIds: readonly string[]): Promise<void> {
    await tx.query(
      `INSERT INTO certificate (issuer_ca_id, serial, profile, holder_kind, holder, key_id, device, public_key_digest, not_before, not_after, tbs, recorded_at, entry_id)
       SELECT $1, s, p, hk, h, k, v, d, nb, na, t, $2, e
       FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::timestamptz[], $11::timestamptz[], $12::bytea[], $13::uuid[])
         AS i(s, p, hk, h, k, v, d, nb, na, t, e)`,
      [
        issuerCaId,
        at,
        intents.map((i) => i.serial),
        intents.map((i) => i.profile),
        intents.map((i) => i.holder.kind),
        intents.map((i) => i.holder.id),
        intents.map((i) => i.tokenKey?.keyId ?? null),
        intents.map((i) => i.tokenKey?.device ?? null),
        intents.map((i) => Buffer.from(i.publicKeyDigest)),
        intents.map((i) => i.notBefore),
        intents.map((i) => i.notAfter),
        intents.map((i) => Buffer.from(i.tbs)),
        entryIds,
      ],
    );
  }

  /** Serials of these that still have no outcome, locked until the transaction ends: an outcome is stored once. */
  async lockOpen(tx: EntityManager, issuerCaId: string, serials: readonly string[]): Promise<Set<string>> {
    const rows: { serial: string }[] = await tx.query(
      'SELECT serial FROM certificate WHERE issuer_ca_id = $1 AND serial = ANY($2) AND certificate IS NULL ORDER BY serial FOR UPDATE',
      [issuerCaId, serials],
    );
    return new Set(rows.map((row) => row.serial));
  }

  async storeOutcomes(
    tx: EntityManager,
    issuerCaId: string,
    outcomes: readonly { serial: string; certificate: Uint8Array; entryId: string }[],
  ): Promise<void> {
    await tx.query(
      `UPDATE certificate c SET certificate = o.certificate, entry_id = o.entry_id
       FROM unnest($2::text[], $3::bytea[], $4::uuid[]) AS o(serial, certificate, entry_id)
       WHERE c.issuer_ca_id = $1 AND c.serial = o.serial`,
      [
        issuerCaId,
        outcomes.map((o) => o.serial),
        outcomes.map((o) => Buffer.from(o.certificate)),
        outcomes.map((o) => o.entryId),
      ],
    );
  }

  async findMany(issuerCaId: string, serials: readonly string[]): Promise<CertificateRecord[]> {
    return this.select('issuer_ca_id = $1 AND serial = ANY($2)', [issuerCaId, serials]);
  }

  async listOpen(issuerCaId: string): Promise<CertificateRecord[]> {
    return this.select('issuer_ca_id = $1 AND certificate IS NULL ORDER BY recorded_at, serial', [issuerCaId]);
  }

  async findByPublicKeys(digests: readonly Uint8Array[]): Promise<CertificateRecord[]> {
    return this.select('public_key_digest = ANY($1) ORDER BY recorded_at, serial', [digests.map((digest) => Buffer.from(digest))]);
  }

  /** Serials of these that we issued ourselves under the same issuer name. */
  async findOwnAmong(list: readonly { issuerDigest: string; serial: string }[]): Promise<string[]> {
    const rows: { serial: string }[] = await this.dataSource.query(
      `SELECT c.serial FROM unnest($1::text[], $2::text[]) AS i(d, s)
       JOIN certificate_authority a ON upper(encode(sha256(a.subject), 'hex')) = i.d
       JOIN certificate c ON c.issuer_ca_id = a.ca_id AND c.serial = i.s`,
      [list.map((each) => each.issuerDigest), list.map((each) => each.serial)],
    );
    return rows.map((row) => row.serial);
  }

  async listIssued(): Promise<CertificateRecord[]> {
    return this.select('certificate IS NOT NULL ORDER BY issuer_ca_id, serial', []);
  }

  /** The newest certificate of a token key that is valid and not revoked at `at`: by profile under one CA, or by key label. */
  async findTokenCertificate(by: { issuerCaId: string; profile: string } | { keyLabel: string }, at: Date): Promise<TokenCertificateRecord | undefined> {
    const [condition, parameters] =
      'keyLabel' in by
        ? [`c.holder_kind = 'service' AND c.holder = $2`, [by.keyLabel]]
        : ['c.issuer_ca_id = $2 AND c.profile = $3', [by.issuerCaId, by.profile]];
    const rows: { key_id: string; device: string; issuer_ca_id: string; certificate: Buffer }[] = await this.dataSource.query(
      `SELECT c.key_id, c.device, c.issuer_ca_id, c.certificate FROM certificate c
       WHERE c.certificate IS NOT NULL AND c.key_id IS NOT NULL AND c.not_before <= $1 AND c.not_after >= $1 AND ${condition}
         AND NOT EXISTS (SELECT 1 FROM certificate_status s WHERE s.issuer_ca_id = c.issuer_ca_id AND s.serial = c.serial AND s.effective_at <= $1)
       ORDER BY c.not_after DESC, c.serial LIMIT 1`,
      [at, ...parameters],
    );
    const [row] = rows;
    return row === undefined ? undefined : { keyId: row.key_id, device: row.device, issuerCaId: row.issuer_ca_id, certificate: row.certificate };
  }

  private async select(where: string, parameters: unknown[]): Promise<CertificateRecord[]> {
    const rows: CertificateRow[] = await this.dataSource.query(`SELECT ${COLUMNS} FROM certificate WHERE ${where}`, parameters);
    return rows.map((row) => ({
      issuerCaId: row.issuer_ca_id,
      serial: row.serial,
      profile: row.profile,
      holder: { kind: row.holder_kind, id: row.holder },
      publicKeyDigest: row.public_key_digest,
      notBefore: row.not_before,
      notAfter: row.not_after,
      tbs: row.tbs,
      certificate: row.certificate ?? undefined,
    }));
  }
}
