import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TrustedTime } from '#libs/journal';
import { DataSource } from 'typeorm';
import { Approvals } from '#libs/access';
import { databaseError, environment, isAppError, loadConfig, Logger, onStop, requireMigrated } from '#libs/platform';
import { AppModule } from './app.module.js';
import { CommandServer } from './commands/command-server.js';
import { ServiceConfig } from './config.js';
import { type HttpApp, httpAdapter } from './http/adapter.js';
import { acceptBinaryBodies } from './http/binary-bodies.js';
import { openListeners } from './http/listeners.js';
import { periodically } from './periodically.js';
import { settleIntents } from './settle-intents.js';
import { answerPins, watchLateObjects } from './watch-hsm.js';

const log = new Logger('service');
const CLOCK_SECONDS = 5;

async function main(): Promise<void> {
  const config = loadConfig(environment().configFile, ServiceConfig);
  const app = await NestFactory.create<HttpApp>(AppModule.forRoot(config), httpAdapter(config.http), {
    logger: ['error', 'fatal'],
    abortOnError: false,
  }).catch((error: unknown) => {
    throw isAppError(error) ? error : databaseError(error);
  });
  acceptBinaryBodies(app);
  await requireMigrated(app.get(DataSource));
  // What is settled is signed: not at a time that nobody believes.
  const time = app.get(TrustedTime);
  await time.check();
  const stopComparing = periodically(CLOCK_SECONDS, 'comparing clocks', log, () => time.check());
  const abandoned = await app.get(Approvals).abandonFormer();
  if (abandoned > 0) log.warn('requests of a former process are abandoned', { abandoned });
  const commands = app.get(CommandServer);
  // The door is there first: what is settled may need a ticket, and approvers come through it.
  await commands.listen(config.commandSocket);
  // A device may wait for its leave to log in, and what is settled for the device.
  const stopAnswering = answerPins(app, log);
  await settleIntents(app, log);
  const closeListeners = await openListeners(app, config.http);
  commands.open();
  const stopWatching = watchLateObjects(app, log);
  onStop(async () => {
    await Promise.all([stopWatching(), stopAnswering(), stopComparing()]);
    await commands.close();
    await closeListeners();
    await app.close();
  });
  log.info('ready', { url: await app.getUrl() });
}

main().catch((error: unknown) => {
  log.error('start failed', error);
  process.exit(1);
});
