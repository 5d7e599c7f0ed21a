import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Hsm, type ProtectedKey, type ProtectedKeyLoad } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, concatBytes, toHex } from '#libs/platform/domain';
import { digestHex } from './domain/apdu-log.js';
import { KEY_SLOTS, type SlotName } from './domain/card-profile.js';
import { isGroup } from './domain/key-set.js';
import { PsamRepository } from './psam.repository.js';

/**
 * Keys on their way out of a token. A slot of a chip is released for one challenge, once and for all: the row that says so
 * is committed before the token is asked. Diversification gives the same key every time, so the same challenge again
 * gives the same bytes; another challenge would put the key on a second chip, and is refused.
 */
@Injectable()
export class KeyReleases {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: PsamRepository,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
  ) {}

  /**
   * In a group of devices two compute the load and nothing is released unless they agree: a chip has no second chance.
   * Throws KEY_ALREADY_RELEASED, PSAM_STATE_ILLEGAL when the card is not in work, HSM_*.
   */
  async release(chipSerial: string, slot: SlotName, load: ProtectedKeyLoad, device: string): Promise<ProtectedKey> {
    await this.commitIntent(chipSerial, slot, load);
    const [protectedKey] = await this.hsm.protectForCard(device, [load], { paired: isGroup(device) });
    return protectedKey as ProtectedKey;
  }

  /** The card took the key. Stored: a digest of the bytes that went to it. */
  async loaded(chipSerial: string, slot: SlotName, protectedKey: ProtectedKey): Promise<void> {
    const digest = digestHex(concatBytes(protectedKey.cipher, protectedKey.mac));
    await this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind: 'psam.keyLoaded', subject: chipSerial, data: { slot, loadDigest: digest } });
      await tx.query(
        'UPDATE psam_key_release SET loaded_at = $4, load_digest = $5, entry_id = $6 WHERE chip_serial = $1 AND slot = $2 AND version = $3',
        [chipSerial, slot, KEY_SLOTS[slot].version, this.clock.now(), digest, entryId],
      );
    });
  }

  private async commitIntent(chipSerial: string, slot: SlotName, load: ProtectedKeyLoad): Promise<void> {
    const { version } = KEY_SLOTS[slot];
    const challengeDigest = digestHex(load.challenge);
    await this.dataSource.transaction(async (tx) => {
      const card = await this.repository.card(chipSerial, tx, true);
      if (card?.state !== 'inWork') throw new AppError('PSAM_STATE_ILLEGAL', { from: card?.state ?? '-', to: 'inWork' });
      const [earlier]: { challenge_digest: string }[] = await tx.query(
        'SELECT challenge_digest FROM psam_key_release WHERE chip_serial = $1 AND slot = $2 AND version = $3',
        [chipSerial, slot, version],
      );
      if (earlier !== undefined && earlier.challenge_digest !== challengeDigest) throw new AppError('KEY_ALREADY_RELEASED', { chipSerial, slot });
      const factors = load.key.factors.map(toHex);
      const entryId = await this.journal.record(tx, {
        kind: 'psam.keyRelease',
        subject: chipSerial,
        data: { slot, version, rootKeyId: load.key.keyId, factors, challengeDigest, again: earlier !== undefined },
      });
      if (earlier !== undefined) return;
      await tx.query(
        `INSERT INTO psam_key_release (chip_serial, slot, version, root_key_id, factors, challenge_digest, released_at, entry_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [chipSerial, slot, version, load.key.keyId, factors, challengeDigest, this.clock.now(), entryId],
      );
    });
  }
}
