import { type DynamicModule, Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { type AccessConfig, AccessTerms } from './access-terms.js';
import { Changes } from './changes.service.js';
import { Departures } from './departures.service.js';
import { FirstPolicies } from './first-policies.js';
import { Initialisation } from './initialisation.service.js';
import { Operators } from './operators.service.js';
import { PersonRecords } from './person-records.js';

/** Who may act, and how that comes about. Imported once by an app. */
@Module({})
export class AccessModule {
  static forRoot(config: AccessConfig): DynamicModule {
    return {
      module: AccessModule,
      imports: [JournalModule],
      providers: [{ provide: AccessTerms, useFactory: () => new AccessTerms(config) }, PersonRecords, FirstPolicies, Initialisation, Operators, Changes, Departures],
      exports: [Initialisation, Operators, Changes, Departures],
    };
  }
}
