import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type EscrowTarget, loadProfiles, type ShareAlgorithm, type VendorProfile } from '#libs/hsm';
import type { TokenPlace } from '#libs/hsm/agent';
import { type CustodianObject, CustodianStation, type EnrolledToken } from '#libs/hsm/processes';
import { tokenSetting } from './test-agent.js';

export const CUSTODIAN_PIN = '975310-custodian';
const SO_PIN = '864200-officer';

/** A custodian with an own token, and the officer of that token: a process of dist/, in a folder of its own. */
export class TestCustodian {
  private constructor(
    readonly index: number,
    readonly token: EnrolledToken,
    readonly station: CustodianStation,
    readonly place: TokenPlace,
    readonly profile: VendorProfile,
    readonly dir: string,
  ) {}

  static async enrol(index: number, algorithm: ShareAlgorithm, { profileName = 'hsm-sim', lines = {} }: { profileName?: string; lines?: Record<string, string> } = {}): Promise<TestCustodian> {
    const profile = loadProfiles('libs/hsm/profiles').get(profileName) as VendorProfile;
    const dir = mkdtempSync(join(tmpdir(), 'hufu-custodian-'));
    const setting = tokenSetting(profile, dir, lines);
    const place = { ...setting.place, device: `custodian-${index}`, label: profileName };
    const entry = pathToFileURL(resolve('dist/apps/hsm/src/custodian.js'));
    const station = CustodianStation.start(entry, { place, profile }, setting.environment);
    try {
      await station.initialise({ label: profileName, soPin: Buffer.from(SO_PIN), pin: Buffer.from(CUSTODIAN_PIN) });
      return new TestCustodian(index, await station.enrol({ pin: Buffer.from(CUSTODIAN_PIN), algorithm }), station, place, profile, dir);
    } catch (error) {
      await station.stop();
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** As a split names it. */
  get named(): { index: number; algorithm: ShareAlgorithm; publicKey: Uint8Array } {
    return { index: this.index, algorithm: this.token.algorithm, publicKey: this.token.publicKey };
  }

  trust(target: EscrowTarget, heard = target.spoken, soPin = SO_PIN): Promise<void> {
    return this.station.trust({ soPin: Buffer.from(soPin), target: { algorithm: target.algorithm, publicKey: target.publicKey }, heard });
  }

  open(wrapped: string | Uint8Array, target: { algorithm: ShareAlgorithm; publicKey: Uint8Array }, { index = this.index, keyDigest = this.token.keyDigest, pin = CUSTODIAN_PIN } = {}): Promise<Uint8Array> {
    const bytes = typeof wrapped === 'string' ? Uint8Array.from(Buffer.from(wrapped, 'hex')) : wrapped;
    return this.station.openShare({ pin: Buffer.from(pin), share: { index, wrapped: bytes, keyDigest }, target: { algorithm: target.algorithm, publicKey: target.publicKey } });
  }

  inventory(): Promise<CustodianObject[]> {
    return this.station.inventory({ pin: Buffer.from(CUSTODIAN_PIN) });
  }

  async stop(): Promise<void> {
    await this.station.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
