import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { AppError, isAppError } from '#libs/platform/domain';
import { zodReason } from '#libs/platform/host';
import { VendorProfile } from './domain/vendor-profile.js';

const ENDING = '.yaml';

/**
 * Every vendor profile of a folder, by name. A file that is not a profile, or bears another name than its own, is refused
 * with the file's name: a device must never run on half of a profile. Throws CONFIG_INVALID.
 */
export function loadProfiles(dir: string): ReadonlyMap<string, VendorProfile> {
  const profiles = new Map<string, VendorProfile>();
  for (const file of listed(dir)) {
    const profile = read(join(dir, file));
    if (`${profile.name}${ENDING}` !== file) throw invalid(join(dir, file), `name: ${profile.name}`);
    profiles.set(profile.name, profile);
  }
  if (profiles.size === 0) throw invalid(dir, `no *${ENDING}`);
  return profiles;
}

function listed(dir: string): string[] {
  try {
    return readdirSync(dir).filter((file) => file.endsWith(ENDING)).sort();
  } catch (error) {
    throw invalid(dir, (error as Error).message);
  }
}

function read(path: string): VendorProfile {
  try {
    // Duplicate keys and aliases are errors: what a reader of the file sees first is what counts.
    const parsed = VendorProfile.safeParse(parse(readFileSync(path, 'utf8'), { maxAliasCount: 0, uniqueKeys: true, version: '1.2' }));
    if (!parsed.success) throw invalid(path, zodReason(parsed.error));
    return parsed.data;
  } catch (error) {
    if (isAppError(error)) throw error;
    throw invalid(path, (error as Error).message);
  }
}

function invalid(path: string, reason: string): AppError {
  return new AppError('CONFIG_INVALID', { file: path, reason });
}
