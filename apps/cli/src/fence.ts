/** What a fenced program may open besides its own code. A path ending in a folder means everything below it. */
export interface FencedPlaces {
  readonly checkout: string;
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** May it start threads? They are fenced like it. */
  readonly threads: boolean;
}

/**
 * Node flags that keep a program from files that are not its own (Node permission model): no PIN file, no other process's
 * configuration, no truth file of a generator; no child processes, no native addons.
 * A write needs a read right of its own: who writes evidence reads it too.
 */
export function fence(places: FencedPlaces): string[] {
  const { checkout } = places;
  const code = [`${checkout}/dist/*`, `${checkout}/node_modules/*`, `${checkout}/package.json`];
  return [
    '--permission',
    ...[...code, ...places.read, ...places.write].map((path) => `--allow-fs-read=${path}`),
    ...places.write.map((path) => `--allow-fs-write=${path}`),
    // Node warns that threads could be started with other flags; ours never are.
    ...(places.threads ? ['--allow-worker', '--disable-warning=PERM0006'] : []),
  ];
}
