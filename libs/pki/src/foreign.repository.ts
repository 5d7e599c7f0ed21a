import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

export interface ForeignCertificate {
  /** SHA-256 of the issuer name in DER, hex. */
  readonly issuerDigest: string;
  readonly serial: string;
  readonly role: 'ca' | 'endEntity';
  /** A trust anchor; only CAs are. */
  readonly trusted: boolean;
  readonly certificate: Uint8Array;
}

export interface ForeignCrl {
  /** SHA-256 of the CRL, hex. */
  readonly digest: string;
  /** SHA-256 of the public key that verified it, hex. */
  readonly issuerKeyDigest: string;
  readonly crl: Uint8Array;
  readonly thisUpdate: Date;
  readonly receivedAt: Date;
}

@Injectable()
export class ForeignRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Leaves out what is held already; the caller has refused conflicts. Returns how many rows are new. */
  async insertCertificates(tx: EntityManager, list: readonly ForeignCertificate[], at: Date, entryId: string): Promise<number> {
    const rows: unknown[] = await tx.query(
      `INSERT INTO foreign_certificate (issuer_digest, serial, role, trusted, certificate, received_at, entry_id)
       SELECT d, s, r, t, c, $6, $7 FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bytea[]) AS i(d, s, r, t, c)
       ON CONFLICT DO NOTHING RETURNING 1`,
      [
        list.map((c) => c.issuerDigest),
        list.map((c) => c.serial),
        list.map((c) => c.role),
        list.map((c) => c.trusted),
        list.map((c) => Buffer.from(c.certificate)),
        at,
        entryId,
      ],
    );
    return rows.length;
  }

  async insertCrls(tx: EntityManager, list: readonly ForeignCrl[], entryId: string): Promise<number> {
    const rows: unknown[] = await tx.query(
      `INSERT INTO foreign_crl (digest, issuer_key_digest, crl, this_update, received_at, entry_id)
       SELECT d, k, c, u, r, $6 FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::timestamptz[]) AS i(d, k, c, u, r)
       ON CONFLICT DO NOTHING RETURNING 1`,
      [
        list.map((c) => c.digest),
        list.map((c) => c.issuerKeyDigest),
        list.map((c) => Buffer.from(c.crl)),
        list.map((c) => c.thisUpdate),
        list.map((c) => c.receivedAt),
        entryId,
      ],
    );
    return rows.length;
  }

  async listCertificates(): Promise<ForeignCertificate[]> {
    const rows: { issuer_digest: string; serial: string; role: ForeignCertificate['role']; trusted: boolean; certificate: Buffer }[] =
      await this.dataSource.query('SELECT issuer_digest, serial, role, trusted, certificate FROM foreign_certificate ORDER BY issuer_digest, serial');
    return rows.map((row) => ({
      issuerDigest: row.issuer_digest,
      serial: row.serial,
      role: row.role,
      trusted: row.trusted,
      certificate: row.certificate,
    }));
  }

  /** Oldest first. */
  async listCrls(): Promise<ForeignCrl[]> {
    const rows: { digest: string; issuer_key_digest: string; crl: Buffer; this_update: Date; received_at: Date }[] = await this.dataSource.query(
      'SELECT digest, issuer_key_digest, crl, this_update, received_at FROM foreign_crl ORDER BY this_update, digest',
    );
    return rows.map((row) => ({
      digest: row.digest,
      issuerKeyDigest: row.issuer_key_digest,
      crl: row.crl,
      thisUpdate: row.this_update,
      receivedAt: row.received_at,
    }));
  }
}
