import { z } from 'zod';
import { AnchorConfigs } from '#libs/journal';

/** The worker's configuration file. `./hufu` writes it for the embedded default. */
export const WorkerConfig = z.strictObject({
  databaseUrl: z.string().min(1),
  /** The supervisor's socket of client `worker`: report signatures only. */
  hsmSocket: z.string().min(1),
  evidenceDir: z.string().min(1),
  journal: z.strictObject({
    /** The supervisor's socket of client `journal`: checkpoints only. */
    hsmSocket: z.string().min(1),
    /** Where signed heads go. In production at least two, of which none is in the hands of the database's administrators. */
    anchors: AnchorConfigs,
  }),
  /** Threads that verify chunks side by side. */
  threads: z.int().min(1).max(64),
});
export type WorkerConfig = z.infer<typeof WorkerConfig>;
