import { AppError } from '#libs/platform/domain';

/** What re-verification needs to know of a certificate, as known when the run was started. Times are ms since 1970 UTC. */
export interface CertificateView {
  /** SHA-256 over the DER of the issuer Name, hex, upper case. */
  readonly issuerHash: string;
  /** Serial number, hex, upper case, without leading zero bytes. */
  readonly serial: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** When the chain up to a trusted anchor was valid as a whole; absent when good signatures lead to no anchor. */
  readonly chain?: { readonly notBeforeMs: number; readonly notAfterMs: number } | undefined;
  /** To whom it was issued; absent for foreign certificates, whose holders our registers do not know. */
  readonly holder?: CertificateHolder | undefined;
  /** From this instant it counts as revoked: the invalidity date where one is known, else the revocation date. */
  readonly revokedAtMs?: number | undefined;
  /** Status is known up to this instant; absent when there is no status information at all. */
  readonly statusKnownUntilMs?: number | undefined;
}

export interface CertificateHolder {
  /** `card`, `institution`, `terminal`. */
  readonly kind: string;
  /** Card number, institution code, terminal number. */
  readonly id: string;
}

/** What re-verification needs to know of a card. */
export interface CardStatusView {
  readonly cardNo: string;
  /** Before this instant the card did not exist. */
  readonly activeFromMs: number;
  /** From this instant the card is cancelled. */
  readonly cancelledAtMs?: number | undefined;
}

/**
 * Everything outside the received files that a verdict depends on, fixed when a run starts. It is kept as evidence under
 * its digest, so a run can be repeated years later and a revocation entered meanwhile changes nothing.
 */
export interface StatusSnapshot {
  readonly takenAtMs: number;
  readonly certificates: readonly CertificateView[];
  readonly cards: readonly CardStatusView[];
}

const FORM = 'hufu/status-snapshot/1';

/** One JSON object a line: a head, then certificates by issuer and serial, then cards by number. Same content, same bytes. */
export function encodeSnapshot(snapshot: StatusSnapshot): Uint8Array {
  const certificates = snapshot.certificates
    .map((c): CertificateLine => [
      c.issuerHash, c.serial, Buffer.from(c.publicKey).toString('base64'), c.notBeforeMs, c.notAfterMs, c.chain?.notBeforeMs ?? null,
      c.chain?.notAfterMs ?? null, c.holder?.kind ?? null, c.holder?.id ?? null, c.revokedAtMs ?? null, c.statusKnownUntilMs ?? null,
    ])
    .sort((a, b) => compareText(a[0] + a[1], b[0] + b[1]));
  const cards = snapshot.cards.map((c): CardLine => [c.cardNo, c.activeFromMs, c.cancelledAtMs ?? null]).sort((a, b) => compareText(a[0], b[0]));
  const head = { form: FORM, takenAtMs: snapshot.takenAtMs, certificates: certificates.length, cards: cards.length };
  return Buffer.from(`${[head, ...certificates, ...cards].map((line) => JSON.stringify(line)).join('\n')}\n`);
}

/** Throws EVIDENCE_DAMAGED when the bytes are not a whole snapshot. */
export function decodeSnapshot(bytes: Uint8Array): StatusSnapshot {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\n');
  const head = JSON.parse(lines[0] as string) as { form: string; takenAtMs: number; certificates: number; cards: number };
  if (head.form !== FORM || lines.length !== 2 + head.certificates + head.cards) throw new AppError('EVIDENCE_DAMAGED', { digest: FORM });
  return {
    takenAtMs: head.takenAtMs,
    certificates: lines.slice(1, 1 + head.certificates).map(readCertificate),
    cards: lines.slice(1 + head.certificates, -1).map(readCard),
  };
}

type CertificateLine = [string, string, string, number, number, number | null, number | null, string | null, string | null, number | null, number | null];
type CardLine = [string, number, number | null];

function readCertificate(line: string): CertificateView {
  const [issuerHash, serial, publicKey, notBeforeMs, notAfterMs, chainFrom, chainTo, kind, id, revokedAtMs, statusKnownUntilMs] = JSON.parse(line) as CertificateLine;
  return {
    issuerHash, serial, publicKey: Buffer.from(publicKey, 'base64'), notBeforeMs, notAfterMs,
    chain: chainFrom === null || chainTo === null ? undefined : { notBeforeMs: chainFrom, notAfterMs: chainTo },
    holder: kind === null || id === null ? undefined : { kind, id },
    revokedAtMs: revokedAtMs ?? undefined, statusKnownUntilMs: statusKnownUntilMs ?? undefined,
  };
}

function readCard(line: string): CardStatusView {
  const [cardNo, activeFromMs, cancelledAtMs] = JSON.parse(line) as CardLine;
  return { cardNo, activeFromMs, cancelledAtMs: cancelledAtMs ?? undefined };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
