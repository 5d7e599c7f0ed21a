import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform/domain';
import { loadProfiles } from './profile-files.js';

const PROFILES = 'libs/hsm/profiles';

describe('vendor profile files', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hufu-profiles-'));
    copyFileSync(join(PROFILES, 'nss.yaml'), join(dir, 'nss.yaml'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const refusal = (from: string): unknown => {
    try {
      return loadProfiles(from).size;
    } catch (error) {
      return isAppError(error) ? [error.code, error.details.file, error.details.reason] : error;
    }
  };
  const reject = (file: string, content: string, reason: RegExp): void => {
    writeFileSync(join(dir, file), content);
    expect(refusal(dir)).toEqual(['CONFIG_INVALID', join(dir, file), expect.stringMatching(reason)]);
  };
  const nss = (): string => readFileSync(join(PROFILES, 'nss.yaml'), 'utf8');

  it('those of the product load, each under its own name, and no simulator passes for a device', () => {
    const profiles = loadProfiles(PROFILES);
    expect([...profiles.keys()]).toEqual(['ep11', 'generic', 'hsm-sim-common', 'hsm-sim-ep11', 'hsm-sim-sansec', 'hsm-sim-tass', 'hsm-sim', 'nss', 'sansec', 'softhsm', 'tass']);
    for (const { simulator, initialisation, source } of profiles.values()) {
      expect(simulator).toBe(initialisation !== 'none');
      expect(source.length).toBeGreaterThan(30);
    }
  });

  it('a simulated vendor speaks with the numbers and forms of its vendor', () => {
    const profiles = loadProfiles(PROFILES);
    for (const vendor of ['sansec', 'tass', 'ep11']) {
      const [real, played] = [profiles.get(vendor), profiles.get(`hsm-sim-${vendor}`)];
      for (const field of ['numbers', 'recipes', 'checkValue', 'signing', 'sm2Sign', 'sm2SignatureForm', 'sm2PointForm', 'transfer'] as const) expect(played?.[field]).toEqual(real?.[field]);
    }
  });

  it('what is not a profile is refused with the name of its file', () => {
    expect([...loadProfiles(dir).keys()]).toEqual(['nss']);
    reject('other.yaml', nss(), /name: nss/);
    reject('other.yaml', `${nss()}\nspeed: fast\n`, /speed/);
    reject('other.yaml', nss().replace('simulator: true', 'simulator: true\nsimulator: false'), /unique/i);
    reject('other.yaml', nss().replace('checkValue: truncatedChild', 'checkValue: guessed'), /checkValue/);
    reject('other.yaml', 'name: [', /.+/);
  });

  it('an empty or missing folder is no folder of profiles', () => {
    rmSync(join(dir, 'nss.yaml'));
    expect(refusal(dir)).toEqual(['CONFIG_INVALID', dir, expect.any(String)]);
    expect(refusal(join(dir, 'none'))).toEqual(['CONFIG_INVALID', join(dir, 'none'), expect.any(String)]);
  });
});
