import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for the openssl command line: another implementation's word on what we made. */
export class OpensslFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'hufu-openssl-'));

  /** Writes DER as PEM of this type; returns the file's path. */
  pem(name: string, type: 'CERTIFICATE' | 'X509 CRL', ...list: readonly Uint8Array[]): string {
    const text = list.map((der) => `-----BEGIN ${type}-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${type}-----\n`);
    return this.file(name, text.join(''));
  }

  file(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  read(name: string): Uint8Array {
    return Uint8Array.from(readFileSync(join(this.path, name)));
  }

  /** stdout and stderr together, and whether it exited with 0. */
  run(...args: readonly string[]): { ok: boolean; text: string } {
    const done = spawnSync('openssl', args, { cwd: this.path, encoding: 'utf8' });
    return { ok: done.status === 0, text: `${done.stdout}${done.stderr}` };
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}
