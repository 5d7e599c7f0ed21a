import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Hsm, POLICY_RULES } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { Logger } from '#libs/platform';
import { AppError, isAppError } from '#libs/platform/domain';

/** What the HSM supervisor refuses until a quorum starts it again. The state is the supervisor's own; the journal says who and why. */
@Injectable()
export class Stops {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly log: Logger,
  ) {}

  /** One person is enough. Nothing runs under the rule when it resolves. Throws REQUEST_INVALID for what cannot be stopped. */
  async stop(rule: string, by: string, reason: string): Promise<void> {
    requireRule(rule);
    await this.note('keys.stop', rule, { by, reason });
    await this.hsm.stop(rule);
  }

  /** Asks the approvers and returns at once; the rule runs again when enough have signed. Throws REQUEST_INVALID. */
  async askToStart(rule: string, by: string): Promise<void> {
    requireRule(rule);
    await this.note('keys.startIntent', rule, { by });
    void this.start(rule);
  }

  private async start(rule: string): Promise<void> {
    try {
      await this.hsm.start(rule);
      await this.note('keys.start', rule, {});
    } catch (error) {
      const code = isAppError(error) ? error.code : 'INTERNAL';
      this.log.error('a rule was not started', error, { rule });
      await this.note('keys.startFailed', rule, { code }).catch((failed: unknown) => this.log.error('a failure is not journalled', failed, { rule, code }));
    }
  }

  private async note(kind: string, rule: string, data: Readonly<Record<string, string>>): Promise<void> {
    await this.dataSource.transaction((tx) => this.journal.record(tx, { kind, subject: rule, data }));
  }
}

/** Before anything is journalled under the name. */
function requireRule(rule: string): void {
  if (!POLICY_RULES.includes(rule) || rule === 'start') throw new AppError('REQUEST_INVALID', { reason: `${rule} is no rule that can be stopped` });
}
