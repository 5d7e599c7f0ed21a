/** The first cycle of a directed graph as a closed walk (a → b → a), or undefined. */
export function findCycle(edges: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | undefined {
  const done = new Set<string>();
  const walk: string[] = [];
  const visit = (node: string): readonly string[] | undefined => {
    const at = walk.indexOf(node);
    if (at >= 0) return [...walk.slice(at), node];
    if (done.has(node)) return undefined;
    walk.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    walk.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
