import { readFileSync } from 'node:fs';
import { type Hit, SecretSearch } from './secret-search.js';

/** What proc(5) shows of a process to its own user, beside its memory. */
const SHOWN = [['environment', 'environ'], ['command line', 'cmdline']] as const;

/** Where the PINs (name → bytes) are seen: environment, command line and, unless told otherwise, memory of each process. */
export function pinTraces(pids: readonly number[], pins: ReadonlyMap<string, Uint8Array>, { memory } = { memory: true }): Hit[] {
  const search = new SecretSearch(pins);
  const seen = new Set<string>();
  const shown = pids.flatMap((pid) =>
    SHOWN.flatMap(([where, file]) => {
      const text = Buffer.from(contentOf(`/proc/${pid}/${file}`));
      return [...pins].flatMap(([secret, pin]) => (text.includes(Buffer.from(pin)) ? [{ secret, form: 'raw', where: `${pid} ${where}` }] : []));
    }),
  );
  return memory ? [...shown, ...pids.flatMap((pid) => search.inProcess(pid, seen) ?? [])] : shown;
}

/** Nothing of a process that has ended. */
function contentOf(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch {
    return new Uint8Array();
  }
}
