import { Injectable } from '@nestjs/common';
import { Organisations } from '#libs/organisations';
import { type ErrorCode, type ErrorDetails, AppError, isAppError, toHex } from '#libs/platform/domain';
import { AuthorityRepository } from './authority.repository.js';
import { CertificateProfiles } from './certificate-profiles.js';
import { type CertificateIntent, type CertificateRecord, CertificateRepository } from './certificate.repository.js';
import type { CertificationAuthority } from './domain/authority.js';
import { type CertificateContent, decideEnrolment, type EnrolmentRequest } from './domain/enrolment.js';
import { Issuance, ISSUE_BATCH, type IssuedCertificate, publicKeyDigest } from './issuance.service.js';

/** One answer per request, in order. A refused one does not stop the others. */
export type EnrolmentResult =
  | ({ readonly ok: true } & IssuedCertificate)
  | { readonly ok: false; readonly code: ErrorCode; readonly details: ErrorDetails };

type Step = { readonly content: CertificateContent } | { readonly known: CertificateRecord } | { readonly refused: AppError };

/** Certificates for keys that the holders made themselves. */
@Injectable()
export class Enrolment {
  constructor(
    private readonly profiles: CertificateProfiles,
    private readonly authorities: AuthorityRepository,
    private readonly certificates: CertificateRepository,
    private readonly organisations: Organisations,
    private readonly issuance: Issuance,
  ) {}

  /**
   * Issues in batches. The same request again (same key, holder, profile and validity) gets the same certificate.
   * Throws CA_UNKNOWN, CA_REVOKED and HSM_*; everything that is wrong with one request is its own result.
   */
  async enrol(
    caId: string,
    requests: readonly EnrolmentRequest[],
    progress: (done: number) => void = () => undefined,
  ): Promise<EnrolmentResult[]> {
    const ca = await this.authorities.getCertifying(caId);
    const results: EnrolmentResult[] = [];
    for (let i = 0; i < requests.length; i += ISSUE_BATCH) {
      results.push(...(await this.enrolBatch(ca, requests.slice(i, i + ISSUE_BATCH))));
      progress(results.length);
    }
    return results;
  }

  /** The certificate, or its intent, that this very content got before. */
  async findSame(caId: string, content: CertificateContent): Promise<CertificateRecord | undefined> {
    const records = await this.certificates.findByPublicKeys([publicKeyDigest(content.publicKey)]);
    return records.find((record) => record.issuerCaId === caId && sameRequest(record, content));
  }

  private async enrolBatch(ca: CertificationAuthority, requests: readonly EnrolmentRequest[]): Promise<EnrolmentResult[]> {
    const unknown = await this.unknownHolders(requests);
    const decided = requests.map((request) => this.decide(ca, request, unknown));
    const steps = await this.compareWithRegister(ca, decided);

    const contents = steps.flatMap((step) => ('content' in step ? [step.content] : []));
    const intents = this.issuance.draft(contents, ca);
    if (intents.length > 0) await this.issuance.commitIntents(ca.caId, intents);

    const repeated = steps.flatMap((step) => ('known' in step && step.known.certificate === undefined ? [step.known] : []));
    const toSign: Pick<CertificateIntent, 'serial' | 'tbs'>[] = [...intents, ...new Map(repeated.map((each) => [each.serial, each])).values()];
    const issued = toSign.length === 0 ? [] : await this.issuance.sign(ca, toSign);
    const bySerial = new Map(issued.map((each) => [each.serial, each.certificate]));

    let next = 0;
    return steps.map((step) => {
      if ('refused' in step) return { ok: false, code: step.refused.code, details: step.refused.details };
      if ('known' in step) return answer(step.known.serial, step.known.certificate ?? bySerial.get(step.known.serial));
      const { serial } = intents[next++] as CertificateIntent;
      return answer(serial, bySerial.get(serial));
    });
  }

  private decide(ca: CertificationAuthority, request: EnrolmentRequest, unknownHolders: ReadonlySet<string>): Step {
    try {
      const content = decideEnrolment(request, this.profiles.get(request.profile), ca);
      if (unknownHolders.has(request.holder.id)) throw new AppError('HOLDER_UNKNOWN', { holder: request.holder.id });
      return { content };
    } catch (error) {
      if (isAppError(error)) return { refused: error };
      throw error;
    }
  }

  /** One key, one holder: looks at what is certified already, and at the batch itself. */
  private async compareWithRegister(ca: CertificationAuthority, steps: readonly Step[]): Promise<Step[]> {
    const digestOf = (content: CertificateContent): Uint8Array => publicKeyDigest(content.publicKey);
    const records = await this.certificates.findByPublicKeys(steps.flatMap((step) => ('content' in step ? [digestOf(step.content)] : [])));
    const byKey = Map.groupBy(records, (record) => toHex(record.publicKeyDigest));
    const inBatch = new Set<string>();
    return steps.map((step) => {
      if (!('content' in step)) return step;
      const key = toHex(digestOf(step.content));
      const known = byKey.get(key) ?? [];
      const same = known.find((record) => record.issuerCaId === ca.caId && sameRequest(record, step.content));
      if (same !== undefined) return { known: same };
      const other = known.some((record) => record.holder.kind !== step.content.holder.kind || record.holder.id !== step.content.holder.id);
      if (other || inBatch.has(key)) return { refused: new AppError('PUBLIC_KEY_TAKEN') };
      inBatch.add(key);
      return step;
    });
  }

  private unknownHolders(requests: readonly EnrolmentRequest[]): Promise<Set<string>> {
    const ids = (kind: string): string[] => requests.filter(({ holder }) => holder.kind === kind).map(({ holder }) => holder.id);
    return this.organisations.unknown({ institutions: ids('institution'), terminals: ids('terminal') });
  }
}

function sameRequest(record: CertificateRecord, content: CertificateContent): boolean {
  return (
    record.profile === content.profile &&
    record.holder.kind === content.holder.kind &&
    record.holder.id === content.holder.id &&
    record.notBefore.getTime() === content.notBefore.getTime() &&
    record.notAfter.getTime() === content.notAfter.getTime()
  );
}

function answer(serial: string, certificate: Uint8Array | undefined): EnrolmentResult {
  if (certificate === undefined) return { ok: false, code: 'INTERNAL', details: { requestId: serial } };
  return { ok: true, serial, certificate };
}
