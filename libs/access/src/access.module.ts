import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { type AccessConfig, AccessTerms } from './access-terms.js';
import { Approvals } from './approvals/approvals.service.js';
import { ApprovalsRepository } from './approvals/approvals.repository.js';
import { type ApprovalsConfig, ApprovalsTerms } from './approvals/approval-terms.js';
import { Approvers } from './approvals/approvers.js';
import { PolicyChanges } from './approvals/policy-changes.service.js';
import { Changes } from './changes.service.js';
import { Departures } from './departures.service.js';
import { FirstPolicies } from './first-policies.js';
import { Initialisation } from './initialisation.service.js';
import { Operators } from './operators.service.js';
import { PersonRecords } from './person-records.js';

/** For an app in which approvals are gathered. */
export interface ApprovalsOptions {
  readonly terms: ApprovalsConfig;
  /** Binds the port `ApprovalPolicy`. */
  readonly policy: Provider;
}

/** Who may act, and how that comes about. Imported once by an app. */
@Module({})
export class AccessModule {
  static forRoot(config: AccessConfig, approvals?: ApprovalsOptions): DynamicModule {
    const gathering = approvals === undefined ? [] : [Approvals, PolicyChanges];
    return {
      module: AccessModule,
      imports: [JournalModule],
      providers: [{ provide: AccessTerms, useFactory: () => new AccessTerms(config) }, PersonRecords, FirstPolicies, Initialisation, Operators, Changes, Departures, ...(approvals === undefined ? [] : approvalProviders(approvals)), ...gathering],
      exports: [Initialisation, Operators, Changes, Departures, ...gathering],
    };
  }
}

function approvalProviders({ terms, policy }: ApprovalsOptions): Provider[] {
  return [policy, { provide: ApprovalsTerms, useFactory: () => new ApprovalsTerms(terms) }, ApprovalsRepository, Approvers];
}
