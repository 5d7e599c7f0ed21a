import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { AccessModule } from '#libs/access';
import { CardsModule } from '#libs/cards';
import { AskingAuthoriser, HsmModule } from '#libs/hsm';
import { JournalKeysModule, JournalModule } from '#libs/journal';
import { KeysModule } from '#libs/keys';
import { OcspModule } from '#libs/ocsp';
import { OrganisationsModule, WorkingCalendarModule } from '#libs/organisations';
import { PkiModule } from '#libs/pki';
import { PlatformModule } from '#libs/platform';
import { PsamModule } from '#libs/psam';
import { VerificationModule } from '#libs/verification';
import { ApprovalDesk } from './approvals/approval-desk.js';
import { CommandServer } from './commands/command-server.js';
import type { ServiceConfig } from './config.js';
import { AccessController } from './http/access.controller.js';
import { HealthController } from './http/health.controller.js';
import { OcspController } from './http/ocsp.controller.js';
import { OperatorGuard } from './http/operator-guard.js';
import { OriginGuard } from './http/origin-guard.js';
import { Sites } from './http/sites.js';
import { PageFiles } from './http/page-files.js';
import { PagesController } from './http/pages.controller.js';
import { ProblemFilter } from './http/problem-filter.js';
import { NobodySignedIn, SignedIn } from './http/signed-in.js';

@Module({})
export class AppModule {
  static forRoot(config: ServiceConfig): DynamicModule {
    const desk = new ApprovalDesk(config.approvals.requestMinutes);
    const authoriser = new AskingAuthoriser({ client: 'service', ...config.approvals }, (subject) => desk.ask(subject));
    return {
      module: AppModule,
      imports: [
        PlatformModule.forRoot({ processName: 'service', database: { url: config.databaseUrl, role: 'hufu_service' } }),
        HsmModule.forRoot({ socket: config.hsmSocket, authoriser }),
        JournalModule,
        OrganisationsModule,
        AccessModule.forRoot(config.access),
        JournalKeysModule,
        WorkingCalendarModule.forRoot({ calendarsDir: config.calendarsDir }),
        KeysModule,
        PsamModule,
        PkiModule.forRoot({ profilesDir: config.profilesDir }),
        OcspModule,
        CardsModule,
        VerificationModule.forRoot({ evidenceDir: config.evidenceDir }),
      ],
      controllers: [HealthController, OcspController, AccessController, PagesController],
      providers: [
        CommandServer,
        { provide: ApprovalDesk, useValue: desk },
        { provide: Sites, useValue: new Sites(config.http) },
        { provide: PageFiles, useFactory: () => PageFiles.load(config.pagesDir) },
        { provide: SignedIn, useClass: NobodySignedIn },
        { provide: APP_GUARD, useClass: OriginGuard },
        { provide: APP_GUARD, useClass: OperatorGuard },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
