import { join } from 'node:path';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AskingAuthoriser, Hsm, HsmModule } from '#libs/hsm';
import { Keys, KeysModule } from '#libs/keys';
import { PlatformModule } from '#libs/platform';
import type { RehearsalQuorum } from '../../../apps/cli/src/approver/rehearsal-quorum.js';

@Module({})
class KeysApp {}

/** The register of keys as the service has it: database, approvals, socket of client `service`; nothing else of the service. */
export async function openKeys(databaseUrl: string, dir: string, quorum: RehearsalQuorum): Promise<{ keys: Keys; hsm: Hsm; app: INestApplicationContext }> {
  const authoriser = new AskingAuthoriser({ client: 'service', ticketCount: 1000, ticketHours: 1, requestMinutes: 5 }, (subject) => quorum.approve(subject));
  const imports = [
    PlatformModule.forRoot({ processName: 'service', database: { url: databaseUrl, role: 'hufu_service' } }),
    HsmModule.forRoot({ socket: join(dir, 'run', 'service.sock'), authoriser }),
    KeysModule,
  ];
  const app = await NestFactory.createApplicationContext({ module: KeysApp, imports }, { logger: false });
  return { keys: app.get(Keys), hsm: app.get(Hsm), app };
}
