/** What the fleet knows of a device when it chooses. */
export interface Candidate {
  readonly device: string;
  readonly outstanding: number;
}

/** Least outstanding work first; among equals the one that follows `turn`, so that idle devices take turns. */
export function chooseDevice<C extends Candidate>(candidates: readonly C[], turn: number): C | undefined {
  let best: C | undefined;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[(i + turn) % candidates.length] as C;
    if (best === undefined || candidate.outstanding < best.outstanding) best = candidate;
  }
  return best;
}

/** Pieces of a batch are not smaller than this: a round trip must be worth it. */
export const PIECE_LEAST = 64;

/** Into how many pieces a batch goes when so many devices are there. */
export function piecesOf(items: number, devices: number): number {
  return Math.max(1, Math.min(devices, Math.floor(items / PIECE_LEAST)));
}
