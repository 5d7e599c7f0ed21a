import { type DynamicModule, Module } from '@nestjs/common';
import { CardsModule } from '#libs/cards';
import { AskingAuthoriser, HsmModule } from '#libs/hsm';
import { JournalKeysModule } from '#libs/journal';
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
import { HealthController } from './http/health.controller.js';
import { OcspController } from './http/ocsp.controller.js';

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
        OrganisationsModule,
        JournalKeysModule,
        WorkingCalendarModule.forRoot({ calendarsDir: config.calendarsDir }),
        KeysModule,
        PsamModule,
        PkiModule.forRoot({ profilesDir: config.profilesDir }),
        OcspModule,
        CardsModule,
        VerificationModule.forRoot({ evidenceDir: config.evidenceDir }),
      ],
      controllers: [HealthController, OcspController],
      providers: [CommandServer, { provide: ApprovalDesk, useValue: desk }],
    };
  }
}
