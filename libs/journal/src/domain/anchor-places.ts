/** What tells where an anchor keeps its lines. */
export interface AnchorPlace {
  readonly kind: string;
  readonly host?: string;
}

export const PRODUCTION_ANCHORS = 2;

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/i;

/**
 * In how many places the anchors keep heads that one person or one disk does not reach both: another kind, or another host. Two files are
 * one place, whatever they are called: only who mounts them knows whose they are.
 */
export function distinctPlaces(anchors: readonly AnchorPlace[]): number {
  return new Set(anchors.map(({ kind, host }) => (host === undefined || LOOPBACK.test(host) ? kind : `${kind} ${host.toLowerCase()}`))).size;
}
