import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import type { Rig } from '../../../apps/cli/src/demo/context.js';
import { asOwner, rewrite } from './spoil.js';

/** The n-th card has the n-th fault; where its key is wrong from the start, no proof of it exists at all. */
const FAULTS = ['wrong-control-key', 'wrong-key', 'wrong-purchase-key', 'accept-any-mac', 'reuse-challenge', 'accept-plain-write-after-end-issue'];

/**
 * Faulty cards, a card that vanishes from the ledger, a request with a broken signature, a sound request where a forged one
 * is expected, the list of a foreign CA, and certificates under each other's names.
 */
export const rig: Rig = {
  cardFault: (n) => FAULTS[n - 1],

  async beforePsam(demo) {
    const requests = join(demo.work, 'subjects', 'requests.ndjson');
    rewrite(requests, (text) => {
      const lines = text.split('\n');
      const at = lines.findIndex((line) => line.includes('"profile":"terminal"'));
      const request = JSON.parse(lines[at] ?? '') as { csr: string };
      const csr = Buffer.from(request.csr, 'base64');
      csr[csr.length - 1] = (csr.at(-1) as number) ^ 0x01;
      lines[at] = JSON.stringify({ ...request, csr: csr.toString('base64') });
      return lines.join('\n');
    });
  },

  async afterPsam(demo) {
    await asOwner(
      demo,
      'ALTER TABLE psam_lot DISABLE TRIGGER USER',
      `UPDATE psam_lot SET received_count = received_count + 1 WHERE lot_no = 'demo-lot-${demo.series}'`,
      'ALTER TABLE psam_lot ENABLE TRIGGER USER',
    );
  },

  forgedRequest: (sound) => sound,

  async afterCertificates(demo) {
    const folder = join(demo.work, 'openssl');
    const serial = new X509Certificate(readFileSync(join(folder, 'good.pem'))).serialNumber;
    writeFileSync(join(folder, 'unissued-serial'), `0x${serial}`);
    copyFileSync(join(folder, 'good.pem'), join(folder, 'kept.pem'));
    copyFileSync(join(folder, 'revoked.pem'), join(folder, 'good.pem'));
    copyFileSync(join(folder, 'kept.pem'), join(folder, 'revoked.pem'));
    copyFileSync(foreignCrl(join(demo.work, 'foreign-ca')), join(folder, 'issuing.crl.pem'));
  },
};

function foreignCrl(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = (name: string): string => join(folder, name);
  writeFileSync(file('index.txt'), '');
  writeFileSync(file('crlnumber'), '01\n');
  writeFileSync(file('ca.cnf'), `[ca]\ndefault_ca=c\n[c]\ndatabase=${file('index.txt')}\ncrlnumber=${file('crlnumber')}\ndefault_md=sha256\ndefault_crl_days=7\n`);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=foreign', '-keyout', file('key.pem'), '-out', file('ca.pem'));
  openssl('ca', '-gencrl', '-config', file('ca.cnf'), '-keyfile', file('key.pem'), '-cert', file('ca.pem'), '-out', file('crl.pem'));
  return file('crl.pem');
}

/** Rows that must fail, and no others. */
export const fails = [/^psam\./, /^certificates\./, /^openssl\./, /^crl\./, /^ocsp\./];
