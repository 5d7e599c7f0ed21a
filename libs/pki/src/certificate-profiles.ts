import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { zodReason } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { CertificateProfile } from './domain/profile.js';

/** The profiles of one folder, read once at start. A faulty file stops the start and is named. */
export class CertificateProfiles {
  private constructor(private readonly profiles: ReadonlyMap<string, CertificateProfile>) {}

  /** Throws CONFIG_INVALID with the file's name. */
  static load(folder: string): CertificateProfiles {
    const files = readProfileNames(folder);
    const profiles = new Map(files.map((file) => [file.slice(0, -'.yaml'.length), readProfile(join(folder, file), file.slice(0, -'.yaml'.length))]));
    for (const profile of profiles.values()) {
      const missing = profile.issuedBy.find((issuer) => profiles.get(issuer)?.ca === undefined);
      if (missing !== undefined) throw new AppError('CONFIG_INVALID', { file: join(folder, `${profile.name}.yaml`), reason: `issuedBy: ${missing}` });
    }
    return new CertificateProfiles(profiles);
  }

  /** Throws PROFILE_UNKNOWN. */
  get(name: string): CertificateProfile {
    const profile = this.profiles.get(name);
    if (profile === undefined) throw new AppError('PROFILE_UNKNOWN', { profile: name });
    return profile;
  }

  list(): CertificateProfile[] {
    return [...this.profiles.values()];
  }
}

function readProfileNames(folder: string): string[] {
  try {
    const files = readdirSync(folder).filter((name) => name.endsWith('.yaml')).sort();
    if (files.length > 0) return files;
  } catch (error) {
    throw new AppError('CONFIG_INVALID', { file: folder, reason: (error as NodeJS.ErrnoException).code ?? 'unreadable' }, { cause: error });
  }
  throw new AppError('CONFIG_INVALID', { file: folder, reason: 'no *.yaml' });
}

function readProfile(file: string, name: string): CertificateProfile {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new AppError('CONFIG_INVALID', { file, reason: (error as Error).message }, { cause: error });
  }
  const profile = CertificateProfile.safeParse(content);
  if (!profile.success) throw new AppError('CONFIG_INVALID', { file, reason: zodReason(profile.error) });
  return { ...profile.data, name };
}
