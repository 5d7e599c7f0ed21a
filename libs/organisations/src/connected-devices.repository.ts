import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { DeviceAcceptance, DeviceKind, DeviceName, DeviceStretch } from './domain/connected-device.js';
import type { OrganisationKind } from './domain/organisation-kind.js';

/** Where a device stands at a time, and whether it was accepted there. */
export interface ConnectedDeviceView extends DeviceName {
  readonly organisation: { readonly kind: OrganisationKind; readonly code: string | undefined } | undefined;
  readonly address: string | undefined;
  readonly since: Date;
  /** When it left; undefined when it still stands there. */
  readonly until: Date | undefined;
  /** The last word of the acceptance; undefined before any. */
  readonly acceptance: DeviceAcceptance | undefined;
}

export interface DeviceFilter {
  readonly at: Date;
  readonly kinds?: readonly DeviceKind[] | undefined;
  /** The body it stands with; what stands with a body that went into it counts as well. */
  readonly organisationId?: string | undefined;
  readonly accepted?: boolean | undefined;
  /** The last row of the page before. */
  readonly after?: DeviceName | undefined;
  readonly limit: number;
}

interface Row extends DeviceName {
  readonly organisationKind: OrganisationKind | null;
  readonly organisationCode: string | null;
  readonly address: string | null;
  readonly since: Date;
  readonly until: Date | null;
  readonly accepted: boolean | null;
  readonly by: string;
  readonly document: string;
  readonly acceptedAt: Date;
}

const VIEW = `
  SELECT d.kind, d.serial, p.address, p.since, n.since AS until, o.kind AS "organisationKind", c.code AS "organisationCode",
         a.accepted, a.accepted_by AS "by", a.document, a.accepted_at AS "acceptedAt"
  FROM connected_device d JOIN connected_device_place p USING (device_id)
  LEFT JOIN connected_device_place n ON n.device_id = p.device_id AND n.sequence = p.sequence + 1
  LEFT JOIN organisation o ON o.organisation_id = p.organisation_id
  LEFT JOIN LATERAL (SELECT code FROM organisation_code c WHERE c.organisation_id = p.organisation_id AND c.meaning = 'issued' AND c.effective_at <= $1 ORDER BY effective_at DESC LIMIT 1) c ON true
  LEFT JOIN LATERAL (SELECT * FROM connected_device_acceptance a WHERE a.device_id = p.device_id AND a.place_sequence = p.sequence ORDER BY sequence DESC LIMIT 1) a ON true`;

@Injectable()
export class ConnectedDevicesRepository {
  constructor(private readonly dataSource: DataSource) {}

  async find(tx: EntityManager, { kind, serial }: DeviceName): Promise<{ deviceId: string; last: DeviceStretch } | undefined> {
    const [row]: { deviceId: string; sequence: number; organisationId: string | null; since: Date }[] = await tx.query(
      `SELECT device_id AS "deviceId", sequence, organisation_id AS "organisationId", since FROM connected_device JOIN connected_device_place USING (device_id)
       WHERE kind = $1 AND serial = $2 ORDER BY sequence DESC LIMIT 1`,
      [kind, serial],
    );
    return row === undefined ? undefined : { deviceId: row.deviceId, last: { sequence: row.sequence, organisationId: row.organisationId ?? undefined, since: row.since } };
  }

  async insertDevice(tx: EntityManager, deviceId: string, { kind, serial }: DeviceName, entryId: string): Promise<void> {
    await tx.query('INSERT INTO connected_device (device_id, kind, serial, entry_id) VALUES ($1, $2, $3, $4)', [deviceId, kind, serial, entryId]);
  }

  async insertStretch(tx: EntityManager, deviceId: string, last: DeviceStretch | undefined, stretch: DeviceStretch & { address: string | undefined }, recordedAt: Date, entryId: string): Promise<void> {
    await tx.query(
      'INSERT INTO connected_device_place (device_id, sequence, organisation_id, address, since, previous_since, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
      [deviceId, stretch.sequence, stretch.organisationId ?? null, stretch.address ?? null, stretch.since.toISOString(), last?.since.toISOString() ?? null, recordedAt.toISOString(), entryId],
    );
  }

  async insertAcceptance(tx: EntityManager, deviceId: string, placeSequence: number, given: DeviceAcceptance, recordedAt: Date, entryId: string): Promise<void> {
    await tx.query(
      `INSERT INTO connected_device_acceptance (device_id, place_sequence, sequence, accepted, accepted_by, document, accepted_at, recorded_at, entry_id)
       SELECT $1, $2, 1 + count(*), $3, $4, $5, $6, $7, $8 FROM connected_device_acceptance WHERE device_id = $1 AND place_sequence = $2`,
      [deviceId, placeSequence, given.accepted, given.by, given.document, given.acceptedAt.toISOString(), recordedAt.toISOString(), entryId],
    );
  }

  /** Devices that stand somewhere at a time, by kind and serial. */
  async list(filter: DeviceFilter): Promise<ConnectedDeviceView[]> {
    const rows: Row[] = await this.dataSource.query(
      `${VIEW}
       WHERE p.since <= $1 AND (n.since IS NULL OR n.since > $1) AND p.organisation_id IS NOT NULL
         AND ($2::text[] IS NULL OR d.kind = ANY($2)) AND ($3::uuid IS NULL OR p.organisation_id IN (
           WITH RECURSIVE taken_over (id) AS (SELECT $3::uuid UNION SELECT s.organisation_id FROM taken_over t JOIN organisation_state s ON s.successor_id = t.id AND s.effective_at <= $1)
           SELECT id FROM taken_over)) AND ($4::boolean IS NULL OR COALESCE(a.accepted, false) = $4)
         AND ($5::text IS NULL OR (d.kind, d.serial) > ($5, $6))
       ORDER BY d.kind, d.serial LIMIT $7`,
      [filter.at.toISOString(), filter.kinds ?? null, filter.organisationId ?? null, filter.accepted ?? null, filter.after?.kind ?? null, filter.after?.serial ?? null, filter.limit],
    );
    return rows.map(view);
  }

  /** Where one device was, from the first place to the last. */
  async history({ kind, serial }: DeviceName, at: Date): Promise<ConnectedDeviceView[]> {
    const rows: Row[] = await this.dataSource.query(`${VIEW} WHERE d.kind = $2 AND d.serial = $3 ORDER BY p.sequence`, [at.toISOString(), kind, serial]);
    return rows.map(view);
  }
}

function view(row: Row): ConnectedDeviceView {
  return {
    kind: row.kind,
    serial: row.serial,
    organisation: row.organisationKind === null ? undefined : { kind: row.organisationKind, code: row.organisationCode ?? undefined },
    address: row.address ?? undefined,
    since: row.since,
    until: row.until ?? undefined,
    acceptance: row.accepted === null ? undefined : { accepted: row.accepted, by: row.by, document: row.document, acceptedAt: row.acceptedAt },
  };
}
