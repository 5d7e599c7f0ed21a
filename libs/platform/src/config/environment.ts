/** The only place that reads the environment. Every variable the product knows stands here. */
export interface Environment {
  /** State folder; default `.hufu` in the checkout. */
  readonly hufuHome: string | undefined;
  /** A real PostgreSQL; default the embedded one. */
  readonly databaseUrl: string | undefined;
  /** A file that describes real tokens; default SoftHSM and NSS in the state folder. */
  readonly hsmConfig: string | undefined;
  /** The configuration file of the process that was started. */
  readonly configFile: string | undefined;
}

export function environment(): Environment {
  return {
    hufuHome: process.env['HUFU_HOME'] || undefined,
    databaseUrl: process.env['DATABASE_URL'] || undefined,
    hsmConfig: process.env['HUFU_HSM_CONFIG'] || undefined,
    configFile: process.env['HUFU_CONFIG'] || undefined,
  };
}

/**
 * The environment for a child process: what programs need to run at all, plus `extra`. Nothing else of the caller's is
 * handed on, so no secret and no NODE_OPTIONS leaks into a process by inheritance.
 */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ', 'TERM']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return { ...kept, ...extra };
}

/** Names by which npm, git and apt learn of a registry, a proxy or a private certificate authority. */
const NETWORK = /^(npm_config_registry|https?_proxy|no_proxy|node_extra_ca_certs)$/i;

/** For children that install software: how this machine reaches its registry. */
export function networkEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (NETWORK.test(name) && value !== undefined ? [[name, value]] : [])));
}
