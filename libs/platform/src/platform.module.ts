import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Clock } from './clock.js';
import { type DatabaseConfig, dataSourceOptions } from './database/data-source.js';
import { GuardedClock } from './guarded-clock.js';
import { Logger } from './logger.js';

export interface PlatformOptions {
  readonly processName: string;
  readonly database: DatabaseConfig;
}

/** What every process needs: the database under its role, the clock and the log. Global, imported once by an app. */
@Module({})
export class PlatformModule {
  static forRoot(options: PlatformOptions): DynamicModule {
    return {
      module: PlatformModule,
      global: true,
      imports: [
        TypeOrmModule.forRoot({
          ...dataSourceOptions(options.database),
          autoLoadEntities: true,
          retryAttempts: 1,
        }),
      ],
      providers: [
        { provide: GuardedClock, useFactory: () => new GuardedClock() },
        { provide: Clock, useExisting: GuardedClock },
        { provide: Logger, useValue: new Logger(options.processName) },
      ],
      exports: [Clock, GuardedClock, Logger, TypeOrmModule],
    };
  }
}
