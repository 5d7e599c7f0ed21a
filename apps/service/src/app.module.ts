import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { AccessModule, ApprovalPolicy, Approvals } from '#libs/access';
import { CardsModule } from '#libs/cards';
import { AskingAuthoriser, HsmModule } from '#libs/hsm';
import { JournalKeysModule, JournalModule } from '#libs/journal';
import { KeysModule } from '#libs/keys';
import { OcspModule } from '#libs/ocsp';
import { OrganisationsModule, WorkingCalendarModule } from '#libs/organisations';
import { CertificateHistoryModule, PkiModule } from '#libs/pki';
import { PlatformModule } from '#libs/platform';
import { PsamModule } from '#libs/psam';
import { VerificationModule } from '#libs/verification';
import { ApprovalsDoor } from './approvals/approvals-door.js';
import { HsmApprovalPolicy } from './approvals/hsm-approval-policy.js';
import { PkiCertificateStatus } from './certificate-status.js';
import { CommandServer } from './commands/command-server.js';
import type { ServiceConfig } from './config.js';
import { ActingOperatorInterceptor, actingOperator } from './http/acting-operator.js';
import { AccessController } from './http/access.controller.js';
import { ApprovalsController } from './http/approvals.controller.js';
import { ClientCertificate, ConnectionCertificate } from './http/client-certificate.js';
import { EnrolmentsController } from './http/enrolments.controller.js';
import { HealthController } from './http/health.controller.js';
import { KeysController } from './http/keys.controller.js';
import { OcspController } from './http/ocsp.controller.js';
import { OperatorGuard } from './http/operator-guard.js';
import { OriginGuard } from './http/origin-guard.js';
import { PageFiles } from './http/page-files.js';
import { PagesController } from './http/pages.controller.js';
import { ProblemFilter } from './http/problem-filter.js';
import { SessionSignedIn, SignedIn } from './http/signed-in.js';
import { SignInController } from './http/sign-in.controller.js';
import { UkeyAgentAddress } from './http/ukey-agent-address.js';

@Module({})
export class AppModule {
  static forRoot(config: ServiceConfig): DynamicModule {
    const door = new ApprovalsDoor();
    const authoriser = new AskingAuthoriser({ client: 'service', requestedBy: actingOperator, ...config.approvals }, (subject, rule) => door.ask(subject, rule));
    return {
      module: AppModule,
      imports: [
        PlatformModule.forRoot({ processName: 'service', database: { url: config.databaseUrl, role: 'hufu_service' } }),
        HsmModule.forRoot({ socket: config.hsmSocket, authoriser }),
        JournalModule,
        OrganisationsModule,
        AccessModule.forRoot(config.access, {
          certificateStatus: { useClass: PkiCertificateStatus, imports: [CertificateHistoryModule] },
          approvals: { terms: config.approvals, policy: { provide: ApprovalPolicy, useClass: HsmApprovalPolicy } },
        }),
        JournalKeysModule,
        WorkingCalendarModule.forRoot({ calendarsDir: config.calendarsDir }),
        KeysModule,
        PsamModule,
        PkiModule.forRoot({ profilesDir: config.profilesDir }),
        OcspModule,
        CardsModule,
        VerificationModule.forRoot({ evidenceDir: config.evidenceDir }),
      ],
      controllers: [HealthController, OcspController, EnrolmentsController, SignInController, AccessController, ApprovalsController, KeysController, PagesController],
      providers: [
        CommandServer,
        {
          provide: ApprovalsDoor,
          useFactory: (approvals: Approvals) => {
            door.open(approvals);
            return door;
          },
          inject: [Approvals],
        },
        { provide: ClientCertificate, useClass: ConnectionCertificate },
        { provide: UkeyAgentAddress, useValue: new UkeyAgentAddress(config.http) },
        { provide: PageFiles, useFactory: () => PageFiles.load(config.pagesDir) },
        { provide: SignedIn, useClass: SessionSignedIn },
        { provide: APP_GUARD, useClass: OriginGuard },
        { provide: APP_GUARD, useClass: OperatorGuard },
        { provide: APP_INTERCEPTOR, useClass: ActingOperatorInterceptor },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
