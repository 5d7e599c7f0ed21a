import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Hsm, type PinQuestion } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { decidePin, type PinLogin, type PinLoginState } from './domain/pin-login.js';

/** Seed of the lock per token serial, so that it meets no other lock of this database. */
const LOCK_SEED = 0x50494e;

/** Answers what the hosts of HSMs ask about PINs that they have not proven: one memory for all hosts. */
@Injectable()
export class PinLogins {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
  ) {}

  /** Answers every open question of this host's supervisor; returns how many. */
  async answer(): Promise<number> {
    const questions = await this.hsm.pinQuestions();
    for (const question of questions) {
      const { answer } = await this.decide(question);
      if (answer !== undefined) await this.hsm.answerPin(question, answer);
    }
    return questions.length;
  }

  /** The last of each token. */
  async list(): Promise<PinLogin[]> {
    return this.dataSource.query(
      `SELECT DISTINCT ON (token_serial) token_serial AS "tokenSerial", device, pin_id AS "pinId", state
       FROM hsm_pin_login ORDER BY token_serial, id DESC`,
    );
  }

  /** An operator has looked at the token, and mended the PIN file. Throws NOT_FOUND when there is nothing to clear. */
  async clear(tokenSerial: string, by: string, reason: string): Promise<void> {
    await this.locked(tokenSerial, async (tx, last) => {
      if (last?.state !== 'refused' && last?.state !== 'attempting') throw new AppError('NOT_FOUND', { what: `refused PIN of token ${tokenSerial}` });
      await this.put(tx, last, 'cleared', { by, reason });
    });
  }

  private decide(question: PinQuestion): Promise<ReturnType<typeof decidePin>> {
    return this.locked(question.tokenSerial, async (tx, last) => {
      const decision = decidePin(question, last);
      if (decision.record !== undefined) await this.put(tx, question, decision.record, {});
      return decision;
    });
  }

  private locked<T>(tokenSerial: string, act: (tx: EntityManager, last: PinLogin | undefined) => Promise<T>): Promise<T> {
    return this.dataSource.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [tokenSerial, LOCK_SEED]);
      const [last]: PinLogin[] = await tx.query(
        'SELECT token_serial AS "tokenSerial", device, pin_id AS "pinId", state FROM hsm_pin_login WHERE token_serial = $1 ORDER BY id DESC LIMIT 1',
        [tokenSerial],
      );
      return act(tx, last);
    });
  }

  private async put(tx: EntityManager, { tokenSerial, device, pinId }: Omit<PinLogin, 'state'>, state: PinLoginState, said: Record<string, string>): Promise<void> {
    const entryId = await this.journal.record(tx, { kind: 'keys.pinLogin', subject: tokenSerial, data: { device, pinId, state, ...said } });
    await tx.query('INSERT INTO hsm_pin_login (token_serial, device, pin_id, state, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5, $6)', [
      tokenSerial, device, pinId, state, this.clock.now(), entryId,
    ]);
  }
}
