import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

/*
 * What is installed is what was reviewed: exact versions, a digest for every package, nothing from outside the registry, and
 * install scripts only of the packages that are named. The rules are functions, so that each also runs over a planted violation.
 */
const ROOT = join(import.meta.dirname, '..');

const Versions = z.record(z.string(), z.string());
const Manifest = z.object({
  dependencies: Versions.default({}),
  devDependencies: Versions.default({}),
  optionalDependencies: Versions.default({}),
  overrides: Versions.default({}),
  allowScripts: z.record(z.string(), z.boolean()).default({}),
});
const Locked = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  link: z.boolean().optional(),
  inBundle: z.boolean().optional(),
  hasInstallScript: z.boolean().optional(),
  os: z.union([z.string(), z.array(z.string())]).optional(),
  cpu: z.union([z.string(), z.array(z.string())]).optional(),
});
const Lock = z.object({ lockfileVersion: z.literal(3), packages: z.record(z.string(), Locked) });
type Manifest = z.infer<typeof Manifest>;
type Lock = z.infer<typeof Lock>;

const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;
/** Deep nesting and lengths of ASN.1 are bounded from this version on. */
const ASN1JS_FLOOR = [3, 0, 9] as const;

const nameOf = (place: string): string => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
const installed = (lock: Lock): [place: string, entry: z.infer<typeof Locked>][] => Object.entries(lock.packages).filter(([place]) => place !== '');
const includes = (list: string | readonly string[] | undefined, wanted: string): boolean => list === undefined || [list].flat().includes(wanted);

/** Ranges, tags, aliases and addresses all may give another package tomorrow. */
function notExact({ dependencies, devDependencies, optionalDependencies, overrides }: Manifest): string[] {
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies, ...overrides }).flatMap(([name, version]) => (EXACT.test(version) ? [] : [`${name} ${version}`]));
}

/** A package in another's bundle comes under that one's digest. */
function withoutDigest(lock: Lock): string[] {
  return installed(lock).flatMap(([place, { integrity, inBundle }]) => (inBundle === true || (integrity !== undefined && SHA512.test(integrity)) ? [] : [place]));
}

/** The lock file leaves out the addresses of registry packages (.npmrc), so whatever has one came from elsewhere. */
function fromElsewhere(lock: Lock): string[] {
  return installed(lock).flatMap(([place, { resolved, link }]) => (resolved === undefined && link !== true ? [] : [`${place} ${resolved ?? 'link'}`]));
}

/** The list of allowed install scripts against what this platform would run: nothing runs that is not named, and no name is idle. */
function scriptFaults({ allowScripts }: Manifest, lock: Lock): string[] {
  const scripted = installed(lock).filter(([, { hasInstallScript, os, cpu }]) => hasInstallScript === true && includes(os, 'linux') && includes(cpu, 'x64'));
  const names = new Set(scripted.map(([place]) => nameOf(place)));
  const allowed = Object.entries(allowScripts).filter(([, yes]) => yes).map(([name]) => name);
  return [...[...names].filter((name) => !allowed.includes(name)).map((name) => `${name}: not allowed`), ...allowed.filter((name) => !names.has(name)).map((name) => `${name}: no script`)];
}

function belowFloor(lock: Lock, wanted: string, floor: readonly number[]): string[] {
  return installed(lock).flatMap(([place, { version = '' }]) => {
    if (nameOf(place) !== wanted) return [];
    const parts = version.split('.').map(Number);
    const differing = floor.findIndex((part, i) => parts[i] !== part);
    return differing === -1 || (parts[differing] as number) > (floor[differing] as number) ? [] : [`${place} ${version}`];
  });
}

const read = <S extends z.ZodType>(file: string, schema: S): z.infer<S> => schema.parse(JSON.parse(readFileSync(join(ROOT, file), 'utf8')));
const PLACES = ['.', 'apps/cli/runtime'] as const;

describe.each(PLACES)('packages of %s', (place) => {
  const manifest = read(join(place, 'package.json'), Manifest);
  const lock = read(join(place, 'package-lock.json'), Lock);

  it('have exact versions', () => expect(notExact(manifest)).toEqual([]));
  it('have a SHA-512 digest each', () => {
    expect(installed(lock).length).toBeGreaterThanOrEqual(3);
    expect(withoutDigest(lock)).toEqual([]);
  });
  it('come from the registry and nowhere else', () => {
    expect(fromElsewhere(lock)).toEqual([]);
    expect(readFileSync(join(ROOT, place, '.npmrc'), 'utf8')).toContain('omit-lockfile-registry-resolved=true');
  });
  it('decode ASN.1 with a parser that bounds it', () => expect(belowFloor(lock, 'asn1js', ASN1JS_FLOOR)).toEqual([]));
});

describe('install scripts', () => {
  it('run for the packages that are named, each of which has one', () => {
    expect(scriptFaults(read('package.json', Manifest), read('package-lock.json', Lock))).toEqual([]);
  });

  it('of the runtime do not run at all, and both are installed by the lock file', () => {
    const commands = readFileSync(join(ROOT, 'hufu'), 'utf8').match(/exec npm \S+.*$/gm) ?? [];
    expect(commands).toHaveLength(2);
    for (const command of commands) expect(command).toMatch(/^exec npm ci /);
    expect(commands.filter((command) => command.includes('--ignore-scripts '))).toHaveLength(1);
  });
});

describe('a planted violation', () => {
  const manifest = (change: object): Manifest => Manifest.parse({ dependencies: { a: '1.2.3' }, ...change });
  const digest = `sha512-${'A'.repeat(86)}==`;
  const lock = (name: string, entry: object): Lock => Lock.parse({ lockfileVersion: 3, packages: { '': {}, [`node_modules/x/node_modules/${name}`]: { version: '1.2.3', integrity: digest, ...entry } } });

  it.each(['^1.2.3', '~1.2.3', '1.x', 'latest', 'npm:b@1.2.3', 'git+https://example.org/a.git', 'https://example.org/a.tgz', 'file:../a'])('%s is no exact version', (version) => {
    expect(notExact(manifest({ dependencies: { a: version } }))).toEqual([`a ${version}`]);
    expect(notExact(manifest({ overrides: { a: version } }))).toEqual([`a ${version}`]);
  });

  it('is found in the lock file', () => {
    const good = lock('a', {});
    expect([withoutDigest(good), fromElsewhere(good)]).toEqual([[], []]);
    expect(withoutDigest(lock('a', { integrity: undefined }))).toHaveLength(1);
    expect(withoutDigest(lock('a', { integrity: `sha1-${'A'.repeat(27)}=` }))).toHaveLength(1);
    expect(fromElsewhere(lock('a', { resolved: 'git+ssh://git@example.org/a.git#0' }))).toHaveLength(1);
    expect(fromElsewhere(lock('a', { link: true }))).toHaveLength(1);
  });

  it('is found among the install scripts', () => {
    const scripted = lock('@s/a', { hasInstallScript: true });
    expect(scriptFaults(manifest({ allowScripts: { '@s/a': true } }), scripted)).toEqual([]);
    expect(scriptFaults(manifest({}), scripted)).toEqual(['@s/a: not allowed']);
    expect(scriptFaults(manifest({ allowScripts: { '@s/a': false } }), scripted)).toEqual(['@s/a: not allowed']);
    expect(scriptFaults(manifest({ allowScripts: { b: true } }), lock('b', {}))).toEqual(['b: no script']);
    expect(scriptFaults(manifest({}), lock('c', { hasInstallScript: true, os: ['darwin'] }))).toEqual([]);
  });

  it.each([['3.0.8', 1], ['2.9.9', 1], ['3.0.9', 0], ['3.0.10', 0], ['3.1.0', 0], ['4.0.0', 0]] as const)('asn1js %s', (version, faults) => {
    expect(belowFloor(lock('asn1js', { version }), 'asn1js', ASN1JS_FLOOR)).toHaveLength(faults);
  });
});
