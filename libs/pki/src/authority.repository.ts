import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError } from '#libs/platform/domain';
import type { CertificationAuthority } from './domain/authority.js';

interface AuthorityRow {
  ca_id: string;
  issuer_ca_id: string;
  profile: string;
  subject: Buffer;
  key_id: string;
  device: string;
  algorithm: CertificationAuthority['algorithm'];
  public_key: Buffer;
  not_before: Date;
  not_after: Date;
  serial: string;
  certificate: Buffer | null;
}

const SELECT = `
  SELECT a.ca_id, a.issuer_ca_id, a.profile, a.subject, a.key_id, a.device, a.algorithm, a.public_key, a.not_before, a.not_after,
         a.serial, c.certificate
  FROM certificate_authority a JOIN certificate c ON c.issuer_ca_id = a.issuer_ca_id AND c.serial = a.serial`;

@Injectable()
export class AuthorityRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Parents before children. */
  async list(): Promise<CertificationAuthority[]> {
    const rows: AuthorityRow[] = await this.dataSource.query(`${SELECT} ORDER BY (a.issuer_ca_id <> a.ca_id), c.recorded_at, a.ca_id`);
    return rows.map(authority);
  }

  async find(caId: string): Promise<CertificationAuthority | undefined> {
    const rows: AuthorityRow[] = await this.dataSource.query(`${SELECT} WHERE a.ca_id = $1`, [caId]);
    return rows[0] === undefined ? undefined : authority(rows[0]);
  }

  /** A CA that may certify: it exists, and nobody has revoked it. Throws CA_UNKNOWN, CA_REVOKED. */
  async getCertifying(caId: string): Promise<CertificationAuthority & { certificate: Uint8Array }> {
    const ca = await this.get(caId);
    const revoked: unknown[] = await this.dataSource.query('SELECT 1 FROM certificate_status WHERE issuer_ca_id = $1 AND serial = $2', [ca.issuerCaId, ca.serial]);
    if (revoked.length > 0) throw new AppError('CA_REVOKED', { caId });
    return ca;
  }

  /** A CA whose own certificate has an outcome. Throws CA_UNKNOWN. */
  async get(caId: string): Promise<CertificationAuthority & { certificate: Uint8Array }> {
    const found = await this.find(caId);
    if (found?.certificate === undefined) throw new AppError('CA_UNKNOWN', { caId });
    return { ...found, certificate: found.certificate };
  }

  async insert(tx: EntityManager, ca: Omit<CertificationAuthority, 'certificate'>, entryId: string): Promise<void> {
    await tx.query(
      `INSERT INTO certificate_authority (ca_id, issuer_ca_id, profile, subject, key_id, device, algorithm, public_key, not_before, not_after, serial, entry_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        ca.caId,
        ca.issuerCaId,
        ca.profile,
        Buffer.from(ca.subject),
        ca.keyId,
        ca.device,
        ca.algorithm,
        Buffer.from(ca.publicKey),
        ca.notBefore,
        ca.notAfter,
        ca.serial,
        entryId,
      ],
    );
  }
}

function authority(row: AuthorityRow): CertificationAuthority {
  return {
    caId: row.ca_id,
    issuerCaId: row.issuer_ca_id,
    profile: row.profile,
    subject: row.subject,
    keyId: row.key_id,
    device: row.device,
    algorithm: row.algorithm,
    publicKey: row.public_key,
    notBefore: row.not_before,
    notAfter: row.not_after,
    serial: row.serial,
    certificate: row.certificate ?? undefined,
  };
}
