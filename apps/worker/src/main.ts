import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { Sequencer } from '#libs/journal';
import { databaseError, environment, isAppError, loadConfig, Logger, onStop, openDataSource, requireMigrated } from '#libs/platform';
import { Reports, VerificationWorker } from '#libs/verification';
import { AppModule } from './app.module.js';
import { WorkerConfig } from './config.js';
import { IdleLoop } from './idle-loop.js';

const log = new Logger('worker');

async function main(): Promise<void> {
  const config = loadConfig(environment().configFile, WorkerConfig);
  const app = await NestFactory.createApplicationContext(AppModule.forRoot(config), { logger: ['error', 'fatal'], abortOnError: false }).catch(
    (error: unknown) => {
      throw isAppError(error) ? error : databaseError(error);
    },
  );
  await requireMigrated(app.get(DataSource));
  const journal = await openDataSource({ url: config.databaseUrl, role: 'hufu_journal', poolSize: 1 });
  const sequencer = new Sequencer(journal);
  const reports = app.get(Reports);
  const verification = app.get(VerificationWorker);
  verification.start();
  const loops = [
    new IdleLoop('sequencing', () => sequencer.runOnce(), log).start(),
    new IdleLoop('reporting', () => makeReports(reports), log).start(),
  ];
  onStop(async () => {
    await Promise.all([verification.stop(), ...loops.map((loop) => loop.stop())]);
    await journal.destroy();
    await app.close();
  });
  log.info('ready');
}

async function makeReports(reports: Reports): Promise<number> {
  const open = await reports.openRequests();
  for (const runId of open) await reports.make(runId);
  return open.length;
}

main().catch((error: unknown) => {
  log.error('start failed', error);
  process.exit(1);
});
