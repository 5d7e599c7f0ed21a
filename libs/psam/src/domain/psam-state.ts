import { AppError, type Bilingual } from '#libs/platform/domain';

/**
 * Where a physical PSAM stands. Injection is not idempotent once the transport key is replaced, so `inWork` never goes back
 * to `blank`: what fails is quarantined and then scrapped or returned.
 */
export const PSAM_STATES = {
  blank: { text: { zh: '空白', en: 'blank' }, to: ['inWork', 'scrapped', 'returnedToVendor', 'lost'] },
  inWork: { text: { zh: '灌装中', en: 'in work' }, to: ['good', 'quarantined', 'lost'] },
  good: { text: { zh: '合格', en: 'good' }, to: ['quarantined', 'lost'] },
  quarantined: { text: { zh: '隔离', en: 'quarantined' }, to: ['scrapped', 'returnedToVendor', 'lost'] },
  scrapped: { text: { zh: '报废', en: 'scrapped' }, to: [] },
  returnedToVendor: { text: { zh: '退回厂商', en: 'returned to vendor' }, to: [] },
  lost: { text: { zh: '遗失', en: 'lost' }, to: ['quarantined'] },
} as const satisfies Record<string, { text: Bilingual; to: readonly string[] }>;

export type PsamState = keyof typeof PSAM_STATES;
export const ALL_PSAM_STATES = Object.keys(PSAM_STATES) as readonly PsamState[];

/** Throws PSAM_STATE_ILLEGAL on a move that the table does not have. */
export function transition(from: PsamState, to: PsamState): PsamState {
  if (!(PSAM_STATES[from].to as readonly string[]).includes(to)) throw new AppError('PSAM_STATE_ILLEGAL', { from, to });
  return to;
}
