import { type DynamicModule, Module } from '@nestjs/common';
import { HsmModule } from '#libs/hsm';
import { PlatformModule } from '#libs/platform';
import { VerificationModule } from '#libs/verification';
import type { WorkerConfig } from './config.js';

@Module({})
export class AppModule {
  static forRoot(config: WorkerConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        PlatformModule.forRoot({ processName: 'worker', database: { url: config.databaseUrl, role: 'hufu_worker' } }),
        HsmModule.forRoot({ socket: config.hsmSocket }),
        VerificationModule.forRoot({ evidenceDir: config.evidenceDir, threads: config.threads }),
      ],
    };
  }
}
