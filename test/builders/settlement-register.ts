import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateView, StatusSnapshot } from '#libs/verification';
import { StatusSnapshotSource } from '#libs/verification';
import { atHour, type ForeignMaterial, type Plan, type PlannedRequest } from '../load/settlement-day/plan.js';
import { Random } from '../load/settlement-day/random.js';
import { certificate, certificateNames, name } from '../load/settlement-day/x509.js';

const YEAR_MS = 365 * 86_400_000;

/**
 * Stands in for the registers where only verification is under test: issues what `subjects` asked for by a CA of its own,
 * writes issued.ndjson, and answers the snapshot that the registers would give.
 */
export function issueSubjects(folder: string): StatusSnapshot {
  const plan = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as Plan;
  const requests = readFileSync(join(folder, 'requests.ndjson'), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as PlannedRequest);
  const random = new Random(`${plan.seed}/issuer`);
  const issuerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const issuer = name({ organisation: '社会保障卡', commonName: '签发CA' });
  const revokedAt = new Map(plan.revocations.map(({ id, effectiveAt }) => [id, Date.parse(effectiveAt)]));
  const cancelledAt = new Map(plan.cancellations.map(({ cardNumber, effectiveAt }) => [cardNumber, Date.parse(effectiveAt)]));
  const takenAtMs = atHour(plan.day, 40);
  const chain = { notBeforeMs: takenAtMs - 5 * YEAR_MS, notAfterMs: takenAtMs + 5 * YEAR_MS };
  const views: CertificateView[] = [];
  const issued: string[] = [];
  for (const request of requests) {
    const publicKey = requestKey(Buffer.from(request.csr, 'base64'));
    const span = { notBefore: new Date(request.notBefore), notAfter: new Date(request.notAfter) };
    const der = certificate({ serial: `5${random.hex(16).slice(1)}`, issuer, issuerKey, subject: name(request.subject), publicKey, ...span, isCa: false });
    issued.push(JSON.stringify({ id: request.id, certificate: der.toString('base64') }));
    views.push({ ...viewOf(der), chain, holder: request.holder, revokedAtMs: revokedAt.get(request.id), statusKnownUntilMs: takenAtMs });
  }
  writeFileSync(join(folder, 'issued.ndjson'), `${issued.join('\n')}\n`);
  const foreign = JSON.parse(readFileSync(join(folder, 'foreign.json'), 'utf8')) as ForeignMaterial;
  for (const each of foreign.trusted.certificates) views.push({ ...viewOf(Buffer.from(each, 'base64')), chain });
  for (const each of foreign.untrusted.certificates) views.push(viewOf(Buffer.from(each, 'base64')));
  const cards = plan.cards.map(({ number, activeFrom }) => ({ cardNo: number, activeFromMs: Date.parse(activeFrom), cancelledAtMs: cancelledAt.get(number) }));
  return { takenAtMs, certificates: views, cards };
}

export class GivenSnapshot extends StatusSnapshotSource {
  constructor(private readonly snapshot: StatusSnapshot) {
    super();
  }

  override async take(): Promise<StatusSnapshot> {
    return this.snapshot;
  }
}

function viewOf(der: Buffer): CertificateView {
  const parsed = new X509Certificate(der);
  const { serial, issuerHash } = certificateNames(der);
  return {
    serial, issuerHash,
    publicKey: parsed.publicKey.export({ format: 'der', type: 'spki' }),
    notBeforeMs: Date.parse(parsed.validFrom), notAfterMs: Date.parse(parsed.validTo),
  };
}

/** SubjectPublicKeyInfo of a PKCS#10: the third element of its info. */
function requestKey(csr: Buffer): ReturnType<typeof createPublicKey> {
  const info = element(csr, element(csr, 0).start);
  const version = element(csr, info.start);
  const subject = element(csr, version.end);
  return createPublicKey({ key: csr.subarray(subject.end, element(csr, subject.end).end), format: 'der', type: 'spki' });
}

function element(der: Buffer, at: number): { start: number; end: number } {
  const first = der[at + 1] as number;
  const count = first < 0x80 ? 0 : first & 0x7f;
  const length = count === 0 ? first : der.readUIntBE(at + 2, count);
  return { start: at + 2 + count, end: at + 2 + count + length };
}
