import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Rig } from './context.js';

/** The rig of `--rig FILE`, a built module that exports `rig`; an empty one without it. */
export async function loadRig(file: string | undefined): Promise<Rig> {
  if (file === undefined) return {};
  const module = (await import(pathToFileURL(resolve(file)).href)) as { rig: Rig };
  return module.rig;
}
