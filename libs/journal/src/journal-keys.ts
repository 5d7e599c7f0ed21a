import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type DeviceGroup, Hsm } from '#libs/hsm';
import { Clock } from '#libs/platform';
import { AppError, toHex } from '#libs/platform/domain';
import type { LogKey } from './domain/log-key.js';
import { readLogKeys } from './journal.repository.js';
import { Journal } from './journal.service.js';

export interface NewLogKey {
  readonly algorithm: LogKey['algorithm'];
  /** Where the pair is made; the sequencer signs on any device of its group that holds it. */
  readonly device: string;
}

interface Intent {
  readonly keyId: string;
  readonly device: string;
}

/**
 * The keys that sign the heads of the log. A new one is made here, by the service and under approvals; the sequencer puts it into force
 * by an entry of its own. The first is made before anything can be in a signed head, so it is the one privileged act that
 * does not wait for one.
 */
@Injectable()
export class JournalKeys {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
  ) {}

  /** Makes the first log key; when there is one already, returns it. Throws TOKEN_MISSING, APPROVAL_*, HSM_*. */
  async establish(key: NewLogKey): Promise<LogKey> {
    const [known] = await readLogKeys(this.dataSource.manager);
    return known ?? this.make(key, this.clock.now().getUTCFullYear());
  }

  /**
   * Makes the next key. It takes over with the next batch, signed by both keys, or at the opening of shard `fromShard`. Throws
   * JOURNAL_STALE when there is no first key or its intent does not reach an anchor; TOKEN_MISSING, APPROVAL_*, HSM_*.
   */
  async rotate(key: NewLogKey & { readonly fromShard?: number }): Promise<LogKey> {
    return this.make(key, key.fromShard ?? this.clock.now().getUTCFullYear(), (entryId) => this.journal.anchored(this.dataSource.manager, entryId));
  }

  /** In the order in which they were made. */
  list(): Promise<LogKey[]> {
    return readLogKeys(this.dataSource.manager);
  }

  /** Start-up: what a killed predecessor began. The pair, if it was made at all, is destroyed: nobody has its public key. */
  async settleIntents(): Promise<{ aborted: number }> {
    const open: Intent[] = await this.dataSource.query(
      `SELECT i.key_id AS "keyId", i.device FROM journal_key_intent i
       WHERE NOT EXISTS (SELECT 1 FROM journal_key k WHERE k.key_id = i.key_id) AND NOT EXISTS (SELECT 1 FROM journal_key_abort a WHERE a.key_id = i.key_id)`,
    );
    for (const { keyId, device } of open) {
      const objects = await this.hsm.destroy(device, keyId);
      await this.store('journal.logKeyAborted', keyId, { device, objects }, (tx, entryId) =>
        tx.query('INSERT INTO journal_key_abort (key_id, entry_id) VALUES ($1, $2)', [keyId, entryId]),
      );
    }
    return { aborted: open.length };
  }

  private async make({ algorithm, device }: NewLogKey, fromShard: number, wait: (entryId: string) => Promise<void> = async () => undefined): Promise<LogKey> {
    const deviceGroup = await this.groupOf(device);
    const keyId = toHex(randomBytes(16));
    const label = `journal/${fromShard}/${keyId.slice(0, 8)}`;
    const intent = await this.store('journal.logKeyIntent', keyId, { device, algorithm, fromShard }, (tx, entryId) =>
      tx.query('INSERT INTO journal_key_intent (key_id, algorithm, device, device_group, from_shard, entry_id) VALUES ($1, $2, $3, $4, $5, $6)', [keyId, algorithm, device, deviceGroup, fromShard, entryId]),
    );
    await wait(intent);
    const { publicKey } = await this.hsm.generateKeyPair(device, { keyId, label, keyClass: 'journalSigning', algorithm });
    await this.store('journal.logKeyMade', keyId, { device, algorithm, fromShard, publicKey: toHex(publicKey) }, (tx, entryId) =>
      tx.query('INSERT INTO journal_key (key_id, algorithm, spki, device_group, from_shard, entry_id) VALUES ($1, $2, $3, $4, $5, $6)', [keyId, algorithm, Buffer.from(publicKey), deviceGroup, fromShard, entryId]),
    );
    return { keyId, algorithm, spki: publicKey, deviceGroup, fromShard };
  }

  private async groupOf(device: string): Promise<DeviceGroup> {
    const status = (await this.hsm.devices()).find((each) => each.device === device);
    if (status === undefined) throw new AppError('TOKEN_MISSING', { device });
    return status.group;
  }

  private async store(kind: string, keyId: string, data: Readonly<Record<string, string | number>>, write: (tx: EntityManager, entryId: string) => Promise<unknown>): Promise<string> {
    return this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind, subject: keyId, data });
      await write(tx, entryId);
      return entryId;
    });
  }
}
