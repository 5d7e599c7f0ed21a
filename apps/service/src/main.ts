import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';
import { AppError, databaseError, environment, isAppError, loadConfig, Logger, onStop, requireMigrated } from '#libs/platform';
import { AppModule } from './app.module.js';
import { CommandServer } from './commands/command-server.js';
import { ServiceConfig } from './config.js';
import { acceptBinaryBodies } from './http/binary-bodies.js';
import { settleIntents } from './settle-intents.js';
import { watchLateObjects } from './watch-late-objects.js';

const log = new Logger('service');

async function main(): Promise<void> {
  const config = loadConfig(environment().configFile, ServiceConfig);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(config), new FastifyAdapter({ bodyLimit: 64 * 1024 }), {
    logger: ['error', 'fatal'],
    abortOnError: false,
  }).catch((error: unknown) => {
    throw isAppError(error) ? error : databaseError(error);
  });
  acceptBinaryBodies(app);
  await requireMigrated(app.get(DataSource));
  await settleIntents(app, log);
  const commands = app.get(CommandServer);
  await listen(app, config);
  await commands.listen(config.commandSocket);
  const stopWatching = watchLateObjects(app, log);
  onStop(async () => {
    await stopWatching();
    await commands.close();
    await app.close();
  });
  log.info('ready', { url: await app.getUrl() });
}

async function listen(app: NestFastifyApplication, config: ServiceConfig): Promise<void> {
  try {
    await app.listen(config.http.port, config.http.host);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    throw new AppError('PORT_IN_USE', { port: config.http.port }, { cause: error });
  }
}

main().catch((error: unknown) => {
  log.error('start failed', error);
  process.exit(1);
});
