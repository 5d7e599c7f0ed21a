import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { SupervisorHsm } from '#libs/hsm';
import { Anchoring, CAUGHT_UP_BELOW, HsmCheckpointSigner, openAnchor, Sequencer, TrustedTime } from '#libs/journal';
import { Clock, databaseError, environment, isAppError, loadConfig, Logger, onStop, openDataSource, requireMigrated } from '#libs/platform';
import { Reports, VerificationWorker } from '#libs/verification';
import { AppModule } from './app.module.js';
import { WorkerConfig } from './config.js';
import { IdleLoop } from './idle-loop.js';

const log = new Logger('worker');
/** A privileged act waits for a checkpoint and an anchor: twice this at least. */
const JOURNAL_IDLE_MS = 50;
const CLOCK_MS = 5_000;

async function main(): Promise<void> {
  const config = loadConfig(environment().configFile, WorkerConfig);
  const app = await NestFactory.createApplicationContext(AppModule.forRoot(config), { logger: ['error', 'fatal'], abortOnError: false }).catch(
    (error: unknown) => {
      throw isAppError(error) ? error : databaseError(error);
    },
  );
  await requireMigrated(app.get(DataSource));
  const clock = app.get(Clock);
  const time = app.get(TrustedTime);
  await time.check();
  // The sequencer is a process within the process: its own role in the database, its own socket to the supervisor.
  const journal = await openDataSource({ url: config.databaseUrl, role: 'hufu_journal', poolSize: 1 + config.journal.anchors.length });
  const journalHsm = new SupervisorHsm(config.journal.hsmSocket);
  const sequencer = new Sequencer(journal, new HsmCheckpointSigner(journalHsm), clock);
  const reports = app.get(Reports);
  const verification = app.get(VerificationWorker);
  verification.start();
  const anchorings = config.journal.anchors.map((anchor) => new Anchoring(journal, openAnchor(anchor, clock), clock));
  const loops = [
    new IdleLoop('sequencing', () => sequence(sequencer), log, JOURNAL_IDLE_MS).start(),
    // Each anchor at its own pace: one that is away holds up nobody.
    ...anchorings.map((anchoring) => new IdleLoop(`anchoring ${anchoring.name}`, () => anchoring.runOnce(), log, JOURNAL_IDLE_MS).start()),
    new IdleLoop('comparing clocks', () => time.check().then(() => 0), log, CLOCK_MS).start(),
    new IdleLoop('reporting', () => makeReports(reports), log).start(),
  ];
  onStop(async () => {
    await Promise.all([verification.stop(), ...loops.map((loop) => loop.stop())]);
    journalHsm.close();
    await Promise.all(anchorings.map((anchoring) => anchoring.close()));
    await journal.destroy();
    await app.close();
  });
  log.info('ready');
}

/** Found work counts only while there is a backlog. */
async function sequence(sequencer: Sequencer): Promise<number> {
  const placed = await sequencer.runOnce();
  return placed < CAUGHT_UP_BELOW ? 0 : placed;
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
