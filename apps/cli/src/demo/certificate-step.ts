import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Demo, GENERAL } from './context.js';
import { type ForeignCa, type Plan, type PlannedRequest, subjectsFolder } from './generator.js';
import { readNdjson } from './ndjson.js';
import { checkByOpenssl } from './openssl-checks.js';
import { rootLabel } from './key-step.js';

const ENROL_BATCH = 500;
const YEAR_MS = 365 * 86_400_000;

interface Issued {
  readonly serial: string;
  /** DER, Base64. */
  readonly certificate: string;
}
type Enrolled = ({ readonly ok: true } & Issued) | { readonly ok: false; readonly code: string };

export interface Certificates {
  /** Label of the key that signs reports. */
  readonly reportSigner: string;
  readonly rootFile: string;
  readonly issuingFile: string;
}

/** Root and issuing CA in a token, everybody's certificates, revocations, the list of them, and OpenSSL as the judge. */
export async function certificateStep(demo: Demo, plan: Plan): Promise<Certificates> {
  const { client, series, checks } = demo;
  const [rootCa, caId] = [`demo${series}-root`, `demo${series}-issuing`];
  const whole = (ms: number): string => new Date(Math.floor(ms / 1_000) * 1_000).toISOString();
  const now = Date.now();
  const subject = (commonName: string): object => ({ country: 'CN', organisation: '社会保障卡演示', commonName: `${commonName} ${series}` });
  const validity = { notBefore: whole(now - 3 * YEAR_MS), notAfter: whole(now + 7 * YEAR_MS) };
  const root = await client.call<Issued>('pki.createRootCa', { caId: rootCa, subject: subject('Demo Root CA'), device: GENERAL, ...validity });
  const issuing = await client.call<Issued>('pki.createIssuingCa', { caId, parent: rootCa, subject: subject('Demo Issuing CA'), device: GENERAL, ...validity });
  const serviceKey = async (profile: string, name: string): Promise<string> => {
    const keyLabel = rootLabel(demo, name);
    await client.call('pki.issueForKey', {
      issuer: caId, profile, subject: subject(name), keyLabel, device: GENERAL, notBefore: whole(now - 3_600_000), notAfter: whole(now + YEAR_MS),
    });
    return keyLabel;
  };
  await serviceKey('ocsp-responder', 'ocsp');
  const reportSigner = await serviceKey('report-signer', 'report');

  const requests = readNdjson<PlannedRequest>(join(subjectsFolder(demo), 'requests.ndjson'));
  const issued = await enrolAll(demo, caId, requests);
  writeFileSync(join(subjectsFolder(demo), 'issued.ndjson'), [...issued].map(([id, each]) => `${JSON.stringify({ id, certificate: each.certificate })}\n`).join(''));
  checks.add('certificates.issued', requests.length, issued.size, 'one certificate for every request of the generator');
  await possession(demo, caId, requests);

  for (const { id, ...revocation } of plan.revocations) {
    await client.call('pki.revoke', { issuer: caId, serial: issued.get(id)?.serial, ...revocation });
  }
  const crl = await client.call<string>('pki.issueCrl', { caId, thisUpdate: whole(now), nextUpdate: whole(now + 7 * 86_400_000) });
  await importForeign(demo);

  const folder = join(demo.work, 'openssl');
  const file = (name: string, der: string): string => {
    const path = join(folder, name);
    writeFileSync(path, pem(name.endsWith('.crl.pem') ? 'X509 CRL' : 'CERTIFICATE', der));
    return path;
  };
  const revokedIds = new Set(plan.revocations.map((each) => each.id));
  const good = requests.find((each) => each.profile === 'card' && each.role === 'plain' && !revokedIds.has(each.id)) as PlannedRequest;
  const files = {
    root: file('root.pem', root.certificate),
    issuing: file('issuing.pem', issuing.certificate),
    crl: file('issuing.crl.pem', crl),
    good: file('good.pem', issued.get(good.id)?.certificate ?? ''),
    revoked: file('revoked.pem', issued.get((plan.revocations[0] as { id: string }).id)?.certificate ?? ''),
    unissuedSerial: join(folder, 'unissued-serial'),
  };
  writeFileSync(files.unissuedSerial, `0x${'5A'.repeat(16)}`);
  await demo.rig.afterCertificates?.(demo);
  await checkByOpenssl(demo, files, plan.revocations.length);
  return { reportSigner, rootFile: files.root, issuingFile: files.issuing };
}

async function enrolAll(demo: Demo, caId: string, requests: readonly PlannedRequest[]): Promise<Map<string, Issued>> {
  const issued = new Map<string, Issued>();
  const progress = demo.progress('签发证书', 'certificates issued');
  for (let i = 0; i < requests.length; i += ENROL_BATCH) {
    const batch = requests.slice(i, i + ENROL_BATCH);
    const results = await demo.client.call<Enrolled[]>('pki.enrol', { caId, requests: batch.map(({ id: _id, role: _role, ...request }) => request) });
    for (const [n, result] of results.entries()) if (result.ok) issued.set((batch[n] as PlannedRequest).id, result);
    progress(i + batch.length, requests.length);
  }
  return issued;
}

/** Somebody asks for a certificate with a key that is not theirs: the request's signature was made by another key. */
async function possession(demo: Demo, caId: string, requests: readonly PlannedRequest[]): Promise<void> {
  const victim = requests.find((each) => each.profile === 'card') as PlannedRequest;
  const { id: _id, role: _role, ...request } = victim;
  const csr = Buffer.from(request.csr, 'base64');
  csr[csr.length - 1] = (csr.at(-1) as number) ^ 0x01;
  const forged = demo.rig.forgedRequest?.(request.csr) ?? csr.toString('base64');
  const [result] = await demo.client.call<Enrolled[]>('pki.enrol', { caId, requests: [{ ...request, csr: forged }] });
  demo.checks.add('certificates.possession', 'POP_FAILED', result?.ok === true ? 'issued' : (result?.code ?? 'no answer'), 'RFC 2986 4.2: a request signed by another key');
}

async function importForeign(demo: Demo): Promise<void> {
  const foreign = JSON.parse(readFileSync(join(subjectsFolder(demo), 'foreign.json'), 'utf8')) as Record<'trusted' | 'untrusted', ForeignCa>;
  for (const [kind, ca] of Object.entries(foreign)) {
    await demo.client.call('pki.importForeign', { ...ca, crls: [], trusted: kind === 'trusted' });
  }
}

function pem(title: string, base64: string): string {
  return `-----BEGIN ${title}-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END ${title}-----\n`;
}
