import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { AccessConfig, AccessModule, ApprovalPolicy, Approvals, ApprovalsConfig } from '#libs/access';
import { PlatformModule } from '#libs/platform';
import type { Approval, ApprovalSubject, SignedPolicy } from '#libs/signature';
import { CommandServer } from '../../apps/service/src/commands/command-server.js';
import { NoCertificates } from '../builders/no-certificates.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

/** The desk on which approvals are gathered, behind the command socket, with a database of its own and no operators: the policy alone decides. */
export class ApprovalDesk {
  private constructor(
    private readonly app: TestingModule,
    private readonly database: TestDatabase,
    private readonly folder: string,
  ) {}

  static async open(socket: string, policy: SignedPolicy): Promise<ApprovalDesk> {
    const database = await createTestDatabase();
    const folder = mkdtempSync(join(tmpdir(), 'hufu-desk-'));
    writeFileSync(join(folder, 'name-key'), randomBytes(32));
    const chain = { chain: async () => [policy], add: async () => undefined };
    const app = await Test.createTestingModule({
      imports: [
        PlatformModule.forRoot({ processName: 'test', database: { url: database.url, role: 'hufu_service' } }),
        AccessModule.forRoot(AccessConfig.parse({ nameKeyFile: join(folder, 'name-key') }), {
          certificateStatus: { useClass: NoCertificates, imports: [] },
          approvals: { terms: ApprovalsConfig.parse({}), policy: { provide: ApprovalPolicy, useValue: chain } },
        }),
      ],
      providers: [CommandServer],
    }).compile();
    await app.get(CommandServer).listen(socket);
    return new ApprovalDesk(app, database, folder);
  }

  /** Resolves when it waits; `approved` when its quorum has signed. */
  put(subject: ApprovalSubject): Promise<{ approved: Promise<Approval[]> }> {
    return this.app.get(Approvals, { strict: false }).put(subject);
  }

  async close(): Promise<void> {
    await this.app.get(CommandServer).close();
    await this.app.close();
    await this.database.drop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
