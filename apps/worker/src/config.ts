import { z } from 'zod';
import { AnchorConfigs, distinctPlaces, PRODUCTION_ANCHORS } from '#libs/journal';

/** The worker's configuration file. `./hufu` writes it for the embedded default. */
export const WorkerConfig = z.strictObject({
  /** `production` wants heads anchored in two places at least. */
  mode: z.enum(['production', 'rehearsal']),
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
}).refine(({ mode, journal }) => mode !== 'production' || distinctPlaces(journal.anchors) >= PRODUCTION_ANCHORS, {
  path: ['journal', 'anchors'],
  error: `生产环境至少需要 ${PRODUCTION_ANCHORS} 个不同种类或不同主机的锚定点 / production wants at least ${PRODUCTION_ANCHORS} anchors of different kinds or hosts`,
});
export type WorkerConfig = z.infer<typeof WorkerConfig>;
