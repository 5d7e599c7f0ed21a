import { readFileSync } from 'node:fs';
import type { Demo } from './context.js';
import { runTool, type ToolResult } from './tool.js';

export interface CertificateFiles {
  readonly root: string;
  readonly issuing: string;
  readonly crl: string;
  readonly good: string;
  readonly revoked: string;
  /** Holds a serial number that the issuing CA never gave, as openssl takes it. */
  readonly unissuedSerial: string;
}

/** OpenSSL reads what was issued as any relying party would. */
export async function checkByOpenssl(demo: Demo, files: CertificateFiles, revocations: number): Promise<void> {
  const { checks } = demo;
  const verify = (certificate: string): Promise<ToolResult> =>
    runTool('openssl', ['verify', '-crl_check', '-CAfile', files.root, '-untrusted', files.issuing, '-CRLfile', files.crl, certificate]);
  checks.contains('openssl.chain', 'good.pem: OK', (await verify(files.good)).text, 'openssl verify -crl_check');
  checks.contains('openssl.revoked', 'certificate revoked', (await verify(files.revoked)).text, 'openssl verify -crl_check');
  const crl = await runTool('openssl', ['crl', '-in', files.crl, '-CAfile', files.issuing, '-noout', '-text']);
  checks.contains('openssl.crl', 'verify OK', crl.text, 'openssl crl -CAfile');
  checks.add('crl.entries', revocations, crl.text.match(/Serial Number: [0-9A-F]+/g)?.length ?? 0, 'RFC 5280 5.1.2.6, counted by openssl crl -text');

  const asked = {
    good: ['-cert', files.good],
    revoked: ['-cert', files.revoked],
    unknown: ['-serial', readFileSync(files.unissuedSerial, 'utf8')],
  };
  for (const [status, certificate] of Object.entries(asked)) {
    const answer = await runTool('openssl', [
      'ocsp', '-url', `${demo.httpUrl}/ocsp`, '-issuer', files.issuing, ...certificate, '-CAfile', files.root, '-verify_other', files.issuing,
    ]);
    const verified = answer.text.includes('Response verify OK');
    const told = /^.+: (good|revoked|unknown)$/m.exec(answer.text)?.[1] ?? answer.text.trim().slice(0, 80);
    checks.add(`ocsp.${status}`, `${status}, signature good`, `${told}, signature ${verified ? 'good' : 'not verified'}`, 'openssl ocsp -url (RFC 6960)');
  }
}
