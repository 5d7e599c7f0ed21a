import type { HttpConfig } from './http-config.js';

/** Names under which the embedded default is reached; browsers resolve them to loopback and treat them as secure (RFC 6761 6.3). */
const NAMES = { console: 'hufu.localhost', approve: 'approve.hufu.localhost' } as const;

export type Site = keyof typeof NAMES;

/**
 * The origins that pages are served at: scheme, host and port. Without a configured name the port is known only once it is listened
 * on; until then nothing is at home anywhere.
 */
export class Sites {
  #ports: { main?: number; clientCertificates?: number };

  constructor(private readonly config: HttpConfig) {
    this.#ports = { main: config.port, ...(config.clientCertificates === undefined ? {} : { clientCertificates: config.clientCertificates.port }) };
  }

  listening(ports: { readonly main: number; readonly clientCertificates?: number | undefined }): void {
    this.#ports = { main: ports.main, ...(ports.clientCertificates === undefined ? {} : { clientCertificates: ports.clientCertificates }) };
  }

  get console(): string {
    return this.#of('console');
  }

  get approve(): string {
    return this.#of('approve');
  }

  /** Undefined: client certificates are not taken. */
  get clientCertificates(): string | undefined {
    const { clientCertificates } = this.config;
    return clientCertificates === undefined ? undefined : originOf('https', clientCertificates.hostName, this.#ports.clientCertificates ?? 0);
  }

  get all(): string[] {
    return [this.console, this.approve, ...(this.clientCertificates === undefined ? [] : [this.clientCertificates])];
  }

  #of(site: Site): string {
    return this.config.origins?.[site] ?? originOf(this.config.tls === undefined ? 'http' : 'https', NAMES[site], this.#ports.main ?? 0);
  }
}

function originOf(scheme: 'http' | 'https', host: string, port: number): string {
  return new URL(`${scheme}://${host}:${port}`).origin;
}
