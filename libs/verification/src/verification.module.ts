import { type DynamicModule, Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CardsModule } from '#libs/cards';
import { Journal, JournalModule } from '#libs/journal';
import { CertificateHistoryModule } from '#libs/pki';
import { Clock, Logger } from '#libs/platform';
import { ChunkQueue } from './chunk-queue.js';
import { EvidenceStore, FolderEvidenceStore } from './evidence-store.js';
import { PassThreads } from './passes/pass-threads.js';
import { PgBossChunkQueue } from './pg-boss-chunk-queue.js';
import { Reports } from './report/reports.service.js';
import { RegisterSnapshotSource } from './register-snapshot-source.js';
import { StatusSnapshotSource } from './status-snapshot-source.js';
import { Verification } from './verification.service.js';
import { VerificationWorker } from './verification.worker.js';

export interface VerificationOptions {
  readonly evidenceDir: string;
  /** Threads that run passes; absent in a process that only hands in runs and reads them (then there is no worker). */
  readonly threads?: number | undefined;
}

/** Needs `Hsm` (HsmModule) for the signatures of reports. */
@Module({})
export class VerificationModule {
  static forRoot(options: VerificationOptions): DynamicModule {
    const { evidenceDir, threads } = options;
    return {
      module: VerificationModule,
      imports: [JournalModule, CertificateHistoryModule, CardsModule],
      providers: [
        { provide: EvidenceStore, useFactory: (clock: Clock) => FolderEvidenceStore.open(evidenceDir, clock.now().getTime()), inject: [Clock] },
        {
          provide: ChunkQueue,
          useFactory: (dataSource: DataSource, logger: Logger) => PgBossChunkQueue.open(dataSource, { supervise: threads !== undefined, logger }),
          inject: [DataSource, Logger],
        },
        { provide: StatusSnapshotSource, useClass: RegisterSnapshotSource },
        Verification,
        Reports,
        ...(threads === undefined ? [] : workerProviders(threads, evidenceDir)),
      ],
      exports: [Verification, Reports, EvidenceStore, ...(threads === undefined ? [] : [VerificationWorker])],
    };
  }
}

/** The app calls `start()` when it is ready, and `stop()` before it closes. */
function workerProviders(threads: number, evidenceDir: string): NonNullable<DynamicModule['providers']> {
  return [
    { provide: PassThreads, useFactory: () => new PassThreads(threads, evidenceDir) },
    {
      provide: VerificationWorker,
      useFactory: (dataSource: DataSource, journal: Journal, clock: Clock, queue: ChunkQueue, passThreads: PassThreads, logger: Logger) =>
        new VerificationWorker({ dataSource, journal, clock, queue, threads: passThreads, logger }),
      inject: [DataSource, Journal, Clock, ChunkQueue, PassThreads, Logger],
    },
  ];
}
