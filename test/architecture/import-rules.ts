import { findCycle } from './cycles.js';
import type { Import, ParsedFile, Rule } from './source-file.js';

/** Lib → libs it may import. The table of the architecture; a lib that is not in it does not exist. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  platform: [],
  signature: ['platform'],
  hsm: ['platform', 'signature'],
  journal: ['platform', 'hsm', 'signature'],
  organisations: ['platform', 'journal'],
  access: ['platform', 'journal', 'organisations', 'signature'],
  ceremony: ['platform', 'journal', 'access', 'hsm', 'signature'],
  keys: ['platform', 'organisations', 'journal', 'access', 'ceremony', 'hsm', 'signature'],
  psam: ['platform', 'organisations', 'journal', 'access', 'hsm', 'keys'],
  pki: ['platform', 'organisations', 'journal', 'access', 'ceremony', 'hsm', 'keys', 'signature'],
  ocsp: ['platform', 'hsm', 'signature', 'pki'],
  directory: ['platform', 'pki'],
  cards: ['platform', 'organisations', 'journal', 'access', 'hsm', 'keys', 'psam', 'pki', 'signature'],
  verification: ['platform', 'organisations', 'journal', 'access', 'hsm', 'signature', 'keys', 'psam', 'pki', 'cards'],
};

/** Package → the folder that alone may load it. */
export const RESTRICTED_PACKAGES: readonly { readonly pattern: RegExp; readonly folder: string }[] = [
  { pattern: /^(graphene-pk11|pkcs11js|koffi)(\/|$)/, folder: 'libs/hsm/' },
  { pattern: /^ldapts(\/|$)/, folder: 'libs/directory/' },
  { pattern: /^@nestjs\/(platform-[^/]+|swagger)(\/|$)/, folder: 'apps/' },
];

/**
 * Side doors of a lib, beside `#libs/<lib>`: pure errors and types; what a program without Nest needs; the two programs of
 * the HSM room, which must start in milliseconds, and a person's own token, whose agent stands on a machine without the product.
 */
export const SIDE_ENTRIES = ['#libs/platform/domain', '#libs/platform/host', '#libs/hsm/processes', '#libs/hsm/agent', '#libs/hsm/token', '#libs/journal/verify', '#libs/ceremony/verify'];

/** What a spec beside the code may reach outside its room. */
const TEST_FOLDERS = /^test\/(builders|env|vectors|psam-card|load)\//;

type Finding = (file: ParsedFile, imported: Import) => string | undefined;

function eachImport(name: string, finding: Finding): Rule {
  return {
    name,
    check: (files) =>
      files.flatMap((file) =>
        file.imports.flatMap((imported) => {
          const what = finding(file, imported);
          return what === undefined ? [] : [{ path: file.path, line: imported.line, what }];
        }),
      ),
  };
}

const enteredLib = (specifier: string): string | undefined => /^#libs\/([^/]+)/.exec(specifier)?.[1];
const appOf = (path: string | undefined): string | undefined => /^apps\/([^/]+)/.exec(path ?? '')?.[1];
const libOf = (path: string | undefined): string | undefined => /^libs\/([^/]+)/.exec(path ?? '')?.[1];

export const IMPORT_RULES: readonly Rule[] = [
  {
    name: 'lib-in-table',
    check: (files) => {
      const unknown = files.filter((file) => file.lib !== undefined && !Object.hasOwn(MAY_IMPORT, file.lib));
      return unknown.map((file) => ({ path: file.path, line: 1, what: `lib ${file.lib} is not in the table of libs` }));
    },
  },
  eachImport('lib-table', ({ lib }, { specifier }) => {
    const entered = enteredLib(specifier);
    if (lib === undefined || entered === undefined) return undefined;
    if (entered === lib) return `lib ${lib} enters itself by #libs; use a relative path`;
    return MAY_IMPORT[lib]?.includes(entered) ? undefined : `lib ${lib} may not import ${entered}`;
  }),
  eachImport('lib-entry', ({ path, lib, isSpec }, { specifier, target }) => {
    const entered = enteredLib(specifier);
    if (entered !== undefined && specifier !== `#libs/${entered}` && !SIDE_ENTRIES.includes(specifier)) return `${specifier} is not an entry; use #libs/${entered}`;
    if (target === undefined) return undefined;
    const targetLib = libOf(target);
    if (targetLib !== undefined && targetLib !== lib) return `relative path into lib ${targetLib}; use #libs/${targetLib}`;
    const leaves = lib !== undefined && targetLib === undefined && appOf(target) === undefined;
    if (leaves && !(isSpec && TEST_FOLDERS.test(target))) return `${path} leaves its lib: ${target}`;
    return undefined;
  }),
  eachImport('libs-never-apps', ({ lib }, { specifier, target }) =>
    lib !== undefined && (appOf(target) !== undefined || /^#?apps\//.test(specifier)) ? `lib ${lib} imports an app` : undefined,
  ),
  eachImport('apps-apart', ({ app }, { target }) => {
    const other = appOf(target);
    if (app === undefined || target === undefined || other === app) return undefined;
    return other === undefined ? (libOf(target) === undefined ? `app ${app} leaves its folder: ${target}` : undefined) : `app ${app} imports app ${other}`;
  }),
  eachImport('restricted-package', ({ path }, { specifier }) => {
    const restricted = RESTRICTED_PACKAGES.find(({ pattern }) => pattern.test(specifier));
    return restricted === undefined || path.startsWith(restricted.folder) ? undefined : `${specifier} only in ${restricted.folder}`;
  }),
  eachImport('controller-in-app', ({ app }, { specifier, names }) =>
    app === undefined && specifier === '@nestjs/common' && names.includes('Controller') ? 'controllers only in apps' : undefined,
  ),
  eachImport('no-forward-ref', (_file, { names }) => (names.includes('forwardRef') ? 'forwardRef hides a cycle' : undefined)),
  eachImport('domain-imports', ({ isDomain, lib }, { specifier, target }) => {
    if (!isDomain) return undefined;
    if (target !== undefined) return target.startsWith(`libs/${lib}/src/domain/`) ? undefined : `domain code imports ${target}`;
    return ['#libs/platform/domain', 'zod', 'node:crypto'].includes(specifier) ? undefined : `domain code imports ${specifier}`;
  }),
  eachImport('virtual-card-alone', ({ path, isSpec }, { specifier, target }) => {
    if (!path.startsWith('test/psam-card/')) return undefined;
    if (target !== undefined) return target.startsWith('test/psam-card/') || (isSpec && TEST_FOLDERS.test(target)) ? undefined : `the virtual PSAM imports ${target}`;
    const allowed = specifier.startsWith('node:') || (isSpec && ['@jest/globals', 'fast-check'].includes(specifier));
    return allowed ? undefined : `the virtual PSAM imports ${specifier}`;
  }),
  eachImport('generator-alone', ({ path }, { specifier, target }) => {
    if (!isGenerator(path)) return undefined;
    if (specifier.startsWith('#')) return `the generator imports ${specifier}`;
    return target === undefined || isGenerator(target) || target.startsWith('test/vectors/') ? undefined : `the generator imports ${target}`;
  }),
  {
    name: 'no-lib-cycle',
    check: (files) => {
      const edges = new Map<string, Set<string>>();
      for (const { lib, imports } of files) {
        if (lib === undefined) continue;
        const entered = imports.map(({ specifier }) => enteredLib(specifier)).filter((name) => name !== undefined && name !== lib);
        edges.set(lib, new Set([...(edges.get(lib) ?? []), ...(entered as string[])]));
      }
      const cycle = findCycle(edges);
      return cycle === undefined ? [] : [{ path: `libs/${cycle[0]}`, line: 1, what: cycle.join(' → ') }];
    },
  },
  {
    name: 'no-file-cycle',
    check: (files) => {
      const known = new Set(files.map(({ path }) => path));
      const targets = ({ imports }: ParsedFile): string[] => imports.filter(({ typeOnly }) => !typeOnly).flatMap(({ target }) => (target !== undefined && known.has(target) ? [target] : []));
      const cycle = findCycle(new Map(files.map((file) => [file.path, new Set(targets(file))])));
      return cycle === undefined ? [] : [{ path: cycle[0] as string, line: 1, what: cycle.join(' → ') }];
    },
  },
];

/** Everything under test/load but the benches and the specs: it makes what the product judges, so it shares nothing with it. */
function isGenerator(path: string): boolean {
  return path.startsWith('test/load/') && !/\/bench[^/]*\.ts$/.test(path) && !path.startsWith('test/load/bench/') && !path.endsWith('.spec.ts');
}
