import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Hsm } from '#libs/hsm';
import {
  type CertificateStatus,
  CertificateStatuses,
  type CertificationAuthority,
  keyIdentifier,
  readCertificate,
  readPublicKey,
  REVOCATION_REASONS,
  SIGNATURE_FORMS,
} from '#libs/pki';
import { Clock, Logger } from '#libs/platform';
import { equalBytes, ERROR_TEXTS, isAppError } from '#libs/platform/domain';
import { type CertId, type OcspRequest, readOcspRequest } from './domain/ocsp-request.js';
import { encodeOcspError, encodeOcspResponse, encodeResponseData, type SingleStatus } from './domain/ocsp-response.js';

/** How long an answer may be kept. Revocations are seen at once by whoever asks again. */
const ANSWER_LIFE_MS = 10 * 60_000;

/** RFC 6960 over bytes; the transport is the app's. Answers come straight from the status rows, never from a CRL. */
@Injectable()
export class OcspResponder {
  constructor(
    private readonly statuses: CertificateStatuses,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Always answers: what goes wrong is an OCSP error (malformedRequest, unauthorized, tryLater, internalError), and logged. */
  async respond(requestDer: Uint8Array): Promise<Uint8Array> {
    let request: OcspRequest;
    try {
      request = readOcspRequest(requestDer);
    } catch (error) {
      if (isAppError(error)) return encodeOcspError('malformedRequest');
      throw error;
    }
    try {
      return await this.answer(request);
    } catch (error) {
      this.log.error('ocsp answer failed', error);
      return encodeOcspError(isAppError(error) && ERROR_TEXTS[error.code].retry === 'later' ? 'tryLater' : 'internalError');
    }
  }

  private async answer(request: OcspRequest): Promise<Uint8Array> {
    const now = new Date(Math.floor(this.clock.now().getTime() / 1_000) * 1_000);
    const authorities = await this.statuses.listAuthorities();
    const issuers = request.certIds.map((id) => authorities.find((ca) => isIssuer(ca, id)));
    // One signer answers one request: the responder of the first CA that is ours.
    const ca = issuers.find((each) => each !== undefined);
    const responder = ca === undefined ? undefined : await this.statuses.responder(ca.caId, now);
    if (ca === undefined || responder === undefined) return encodeOcspError('unauthorized');

    const found = await this.statuses.find(ca.caId, request.certIds.map((id) => id.serial));
    const answers = request.certIds.map((id, i) => ({
      certId: id.der,
      status: issuers[i] === ca ? singleStatus(found[i] as CertificateStatus, now) : ({ kind: 'unknown' } as const),
    }));
    const { publicKey } = readCertificate(responder.certificate);
    const algorithm = readPublicKey(publicKey)?.algorithm ?? ca.algorithm;
    const bytes = encodeResponseData({
      responderKeyHash: keyIdentifier(publicKey),
      producedAt: now,
      nextUpdate: new Date(now.getTime() + ANSWER_LIFE_MS),
      answers,
      nonce: request.nonce,
    });
    const [signature] = await this.hsm.sign(responder.device, [{ keyId: responder.keyId, purpose: 'ocspResponse', bytes }]);
    return encodeOcspResponse(bytes, SIGNATURE_FORMS[algorithm].identifier, signature as Uint8Array, responder.certificate);
  }
}

function isIssuer(ca: CertificationAuthority, id: CertId): boolean {
  if (id.hash === undefined) return false;
  return (
    equalBytes(createHash(id.hash).update(ca.subject).digest(), id.issuerNameHash) && equalBytes(keyIdentifier(ca.publicKey, id.hash), id.issuerKeyHash)
  );
}

/** A revocation that becomes effective later is not told before its time. */
function singleStatus(status: CertificateStatus, now: Date): SingleStatus {
  if (status.kind === 'unknown') return { kind: 'unknown' };
  const { revocation } = status;
  if (revocation === undefined || revocation.effectiveAt > now) return { kind: 'good' };
  return { kind: 'revoked', at: revocation.effectiveAt, reasonCode: REVOCATION_REASONS[revocation.reason].code };
}
