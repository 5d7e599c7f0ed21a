import { describe, expect, it } from '@jest/globals';
import { type FleetDevice, loadProfiles, NOT_ENFORCED } from '#libs/hsm';
import { devicePage, renderDevicePage } from './device-page.js';

const NOW = new Date('2026-06-01T00:00:00Z');
const profiles = loadProfiles('libs/hsm/profiles');

const device = (changes: Partial<FleetDevice> = {}, record: Partial<FleetDevice['record']> = {}, figures: Partial<FleetDevice['figures']> = {}): FleetDevice => ({
  device: 'general-1',
  group: 'general',
  state: 'up',
  reason: '',
  profile: 'softhsm',
  figures: { outstanding: 0, queued: 0, sessionsOpen: 2, loginEpoch: 1, knownAnswerAgeSeconds: 4, latencyMs: { p50: 1, p99: 9 }, breaker: 'closed', ...figures },
  counters: { requests: 7, items: 70, failures: 1, retriedElsewhere: 0, agentRestarts: 2, quarantines: 0, knownAnswerRuns: 3, errors: { CKR_DEVICE_ERROR: 1 } },
  record: {
    serial: 'A1', label: 'general-1', manufacturer: 'SoftHSM', model: 'v2', firmware: '2.6', moduleSha256: 'AB'.repeat(32), site: '一号机房', productCertificate: undefined,
    snapshotDigest: 'AB'.repeat(32), snapshotChangedAt: '2026-05-01T00:00:00.000Z', missing: [], history: [], ...record,
  },
  ...changes,
});
const page = (...args: Parameters<typeof device>) => {
  const each = device(...args);
  return devicePage(each, profiles.get(each.profile), NOW);
};
const verdicts = (...args: Parameters<typeof device>): string[] => page(...args).findings.map(({ verdict }) => verdict);

describe('devicePage', () => {
  it.each([...profiles.keys()])('%s: every recipe that the profile claims, and no other, is inside', (name) => {
    const profile = profiles.get(name);
    const { capabilities, notEnforced } = page({ profile: name });
    const inside = Object.entries(capabilities).flatMap(([recipe, row]) => Object.entries(row).flatMap(([algorithm, ability]) => (ability === 'inside' ? [`${recipe} ${algorithm}`] : [])));
    const claimed = [
      ...Object.entries(profile?.recipes ?? {}).flatMap(([recipe, algorithms]) => algorithms.map((algorithm) => `${recipe} ${algorithm}`)),
      ...(profile?.signing ?? []).map((algorithm) => `sign ${algorithm}`),
      ...(profile?.transfer === true ? ['transfer root'] : []),
      ...(profile?.escrow === true ? ['escrow root'] : []),
    ];
    expect(inside.sort()).toEqual(claimed.sort());
    expect(notEnforced.map((each) => each.zh)).toEqual((profile?.notEnforced ?? []).map((each) => NOT_ENFORCED[each].zh));
  });

  it('what the probe did not find is missing and needs attention', () => {
    const missing = page({ profile: 'hsm-sim' }, { missing: ['tacs (sm4)', 'sign (sm2)', 'transfer'] });
    expect([missing.capabilities['tacs'], missing.capabilities['sign']?.['sm2'], missing.capabilities['transfer']]).toEqual([{ '3des2': 'inside', aes128: 'no', sm4: 'missing' }, 'missing', { root: 'missing' }]);
    expect(missing.findings.map(({ verdict }) => verdict)).toEqual(['ok', 'bad']);
  });

  it('says what is wrong and only that', () => {
    expect(verdicts()).toEqual(['ok']);
    expect(verdicts({ state: 'quarantined', reason: 'x' })).toEqual(['bad']);
    expect(verdicts({ state: 'starting' })).toEqual(['note']);
    expect(verdicts({ state: 'unheard of' })).toEqual(['bad']);
    expect(verdicts({ profile: 'unknown' })).toEqual(['ok', 'bad']);
    expect(verdicts({}, {}, { breaker: 'open' })).toEqual(['ok', 'bad']);
    expect(verdicts({}, {}, { knownAnswerAgeSeconds: -1 })).toEqual(['ok', 'note']);
  });

  it.each([
    ['2026-12-31', 213, ['ok']],
    ['2026-08-30', 90, ['ok', 'note']],
    ['2026-06-01', 0, ['ok', 'note']],
    ['2026-05-31', -1, ['ok', 'bad']],
  ])('a product certificate until %s: %i days', (validUntil, days, expected) => {
    const productCertificate = { number: 'GM001', validUntil };
    expect(page({}, { productCertificate }).certificateDaysLeft).toBe(days);
    expect(verdicts({}, { productCertificate })).toEqual(expected);
  });
});

describe('renderDevicePage', () => {
  it('shows it to a person in zh and en', () => {
    const history = ['{"at":"2026-05-02T00:00:00.000Z","step":"patrol","by":"王","note":"正常"}', '{"at":"2026-05'];
    const text = renderDevicePage(page({}, { history, productCertificate: { number: 'GM001', validUntil: '2026-12-31' } })).join('\n');
    for (const each of ['SoftHSM 2', '正常 / up', NOT_ENFORCED.pinLockout.en, '一号机房', 'GM001', '213', 'CKR_DEVICE_ERROR 1', '2026-05-02T00:00:00.000Z patrol 王: 正常', '{"at":"2026-05']) expect(text).toContain(each);
    expect(text).toMatch(/checkValues +✓ 3des2 +✓ aes128 +— sm4/);
  });
});
