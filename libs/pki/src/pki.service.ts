import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { SigningClass } from '#libs/hsm';
import { holders, type KeyRecord, Keys } from '#libs/keys';
import { AppError, isAppError } from '#libs/platform/domain';
import { AuthorityRepository } from './authority.repository.js';
import { CertificateProfiles } from './certificate-profiles.js';
import type { CertificationAuthority } from './domain/authority.js';
import { certificateContent, type EnrolmentRequest, type Issuer } from './domain/enrolment.js';
import type { KeyAlgorithm } from './domain/key-algorithm.js';
import { encodeName, type SubjectName } from './domain/name.js';
import { Enrolment, type EnrolmentResult } from './enrolment.service.js';
import { type ForeignImport, ForeignCertificates } from './foreign-certificates.service.js';
import { Issuance, type IssuedCertificate } from './issuance.service.js';
import { type RevocationRequest, Revocations } from './revocations.service.js';
import type { IssuedCrl } from './status.repository.js';

export interface NewAuthority {
  readonly caId: string;
  readonly subject: SubjectName;
  /** Device where the key pair is made, when the register has no key of this label yet. */
  readonly device: string;
  /** Label of the key in the register; `ca/<caId>` by default. */
  readonly keyLabel?: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface ServiceCertificateRequest {
  /** caId of the issuer. */
  readonly issuer: string;
  /** A profile for token keys: ocsp-responder, report-signer. */
  readonly profile: string;
  readonly subject: SubjectName;
  readonly keyLabel: string;
  readonly device: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

type TokenKey = KeyRecord & { readonly publicKey: Uint8Array; readonly device: string };

const ROOT_PROFILE = 'root-ca';
const ISSUING_PROFILE = 'issuing-ca';

/** The certification authority's use cases. Nothing is signed before its intent and its journal entry are committed. */
@Injectable()
export class Pki {
  constructor(
    private readonly profiles: CertificateProfiles,
    private readonly authorities: AuthorityRepository,
    private readonly keys: Keys,
    private readonly issuance: Issuance,
    private readonly enrolment: Enrolment,
    private readonly revocations: Revocations,
    private readonly foreign: ForeignCertificates,
  ) {}

  /** Makes a self-signed root with its key pair in a token. Throws CA_EXISTS, KEY_*, VALIDITY_REFUSED, SUBJECT_INVALID, HSM_*. */
  async createRootCa(ca: NewAuthority): Promise<IssuedCertificate> {
    return this.createAuthority(ca, ROOT_PROFILE, undefined);
  }

  /** Makes a CA below `parent`. Throws what `createRootCa` throws, and CA_UNKNOWN, CA_REVOKED. */
  async createIssuingCa(ca: NewAuthority & { readonly parent: string }): Promise<IssuedCertificate> {
    return this.createAuthority(ca, ISSUING_PROFILE, await this.authorities.getCertifying(ca.parent));
  }

  /**
   * Certifies a token key of the scheme's own services (made on first use); the same request again gets the same
   * certificate. Throws CA_UNKNOWN, CA_REVOKED, KEY_*, VALIDITY_REFUSED, HSM_*.
   */
  async issueForKey(request: ServiceCertificateRequest): Promise<IssuedCertificate> {
    const issuer = await this.authorities.getCertifying(request.issuer);
    const profile = this.profiles.get(request.profile);
    const [algorithm, keyClass] = [profile.keys[0] as KeyAlgorithm, profile.keyClass];
    if (keyClass === undefined || profile.holder !== 'service') throw new AppError('HOLDER_INVALID', { holder: request.keyLabel, profile: profile.name });
    const key = await this.tokenKey(request.keyLabel, keyClass, algorithm, request.device);
    const holder = { kind: 'service', id: request.keyLabel } as const;
    const content = certificateContent({ ...request, holder, publicKey: key.publicKey, algorithm }, profile, issuer);
    const known = await this.enrolment.findSame(issuer.caId, content);
    if (known?.certificate !== undefined) return { serial: known.serial, certificate: known.certificate };
    const intents = known === undefined ? this.issuance.draft([{ ...content, tokenKey: key }], issuer) : [];
    if (intents.length > 0) await this.issuance.commitIntents(issuer.caId, intents);
    const [issued] = await this.issuance.sign(issuer, known === undefined ? intents : [known]);
    return issued as IssuedCertificate;
  }

  /** Certificates for keys that the holders made. See Enrolment. */
  enrol(caId: string, requests: readonly EnrolmentRequest[], progress?: (done: number) => void): Promise<EnrolmentResult[]> {
    return this.enrolment.enrol(caId, requests, progress);
  }

  revoke(request: RevocationRequest): Promise<void> {
    return this.revocations.revoke(request);
  }

  issueCrl(caId: string, times: { thisUpdate: Date; nextUpdate: Date }): Promise<Uint8Array> {
    return this.revocations.issueCrl(caId, times);
  }

  findCrl(caId: string, number?: bigint): Promise<IssuedCrl | undefined> {
    return this.revocations.findCrl(caId, number);
  }

  importForeign(material: ForeignImport): Promise<{ certificates: number; crls: number }> {
    return this.foreign.import(material);
  }

  /** A CA with its certificate. Throws CA_UNKNOWN. */
  authority(caId: string): Promise<CertificationAuthority & { certificate: Uint8Array }> {
    return this.authorities.get(caId);
  }

  /** Start-up: what a predecessor intended and did not finish is signed again, byte for byte the same. */
  async settleIntents(): Promise<{ certificates: number; crls: number }> {
    let certificates = 0;
    for (const ca of await this.authorities.list()) certificates += await this.issuance.settle(ca);
    return { certificates, crls: await this.revocations.settle() };
  }

  private async createAuthority(ca: NewAuthority, profileName: string, parent: CertificationAuthority | undefined): Promise<IssuedCertificate> {
    const profile = this.profiles.get(profileName);
    const algorithm = profile.keys[0] as KeyAlgorithm;
    if ((await this.authorities.find(ca.caId)) !== undefined) throw new AppError('CA_EXISTS', { caId: ca.caId });
    const key = await this.tokenKey(ca.keyLabel ?? `ca/${ca.caId}`, 'caSigning', algorithm, ca.device);
    const { notBefore, notAfter } = ca;
    const holder = { kind: 'ca', id: ca.caId } as const;
    const own = { ...ca, profile: profileName, publicKey: key.publicKey, algorithm, keyId: key.keyId, device: key.device };
    const issuer: Issuer & { keyId: string; device: string } = parent ?? { ...own, subject: encodeName(ca.subject) };
    const content = certificateContent({ subject: ca.subject, notBefore, notAfter, holder, publicKey: key.publicKey, algorithm }, profile, issuer);
    const intents = this.issuance.draft([{ ...content, tokenKey: key }], issuer);
    const [intent] = intents;
    const row = { ...own, issuerCaId: issuer.caId, subject: content.subject, serial: intent?.serial ?? '' };
    let entryIds: string[];
    try {
      entryIds = await this.issuance.commitIntents(issuer.caId, intents, (tx: EntityManager, entryId) => this.authorities.insert(tx, row, entryId));
    } catch (error) {
      if ((error as { code?: string }).code === '23505') throw new AppError('CA_EXISTS', { caId: ca.caId }, { cause: error });
      throw error;
    }
    await this.issuance.anchored(entryIds);
    const [issued] = await this.issuance.sign(issuer, intents);
    return issued as IssuedCertificate;
  }

  /** The active signing key of this label, made in `device` when the register does not know it. Throws KEY_*. */
  private async tokenKey(label: string, keyClass: SigningClass, algorithm: KeyAlgorithm, device: string): Promise<TokenKey> {
    const key = await this.keys.get(label).catch((error: unknown) => {
      if (isAppError(error) && error.code === 'KEY_UNKNOWN') return this.keys.generateSigning({ label, keyClass, algorithm, device });
      throw error;
    });
    if (key.keyClass !== keyClass || key.algorithm !== algorithm) {
      throw new AppError('KEY_CLASS_MISMATCH', { keyId: key.keyId, keyClass: key.keyClass, recipe: keyClass });
    }
    const holder = holders(key)[0];
    if (key.state !== 'active' || key.publicKey === undefined || holder === undefined) {
      throw new AppError('KEY_STATE_ILLEGAL', { from: key.state, to: 'active' });
    }
    return { ...key, publicKey: key.publicKey, device: holder };
  }
}
