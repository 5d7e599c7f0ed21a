import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '#libs/platform/domain';
import { SignedPolicy } from '#libs/signature';
import { PolicyApprovers } from './approvers.js';

const Chain = z.union([SignedPolicy.transform((only) => [only]), z.array(SignedPolicy).min(1).max(999)]);

/** One signed policy or all its versions in a file, or a folder with `1.json`, `2.json`, … as the HSM supervisor keeps it. Throws POLICY_INVALID, POLICY_CHANGED. */
export function readPolicy(path: string, pinned?: string): PolicyApprovers {
  return PolicyApprovers.of(statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? readFolder(path) : readOne(path), pinned);
}

function readFolder(folder: string): SignedPolicy[] {
  const chain: SignedPolicy[] = [];
  for (let version = 1; existsSync(join(folder, `${version}.json`)); version++) chain.push(...readOne(join(folder, `${version}.json`)));
  return chain;
}

function readOne(file: string): SignedPolicy[] {
  try {
    return Chain.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? error.issues[0]?.message : (error as Error).message;
    throw new AppError('POLICY_INVALID', { reason: `${file}: ${reason ?? ''}`, directory: file }, { cause: error });
  }
}
