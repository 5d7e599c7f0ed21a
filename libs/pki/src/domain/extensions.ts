import {
  ascii,
  derBoolean,
  derContext,
  derContextPrimitive,
  derInteger,
  derNamedBits,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  encodeExtension,
} from '#libs/platform/domain';
import { keyIdentifier } from './key-algorithm.js';
import { OID } from './oids.js';
import { type CertificateProfile, EXTENDED_KEY_USAGES, KEY_USAGES } from './profile.js';

/** keyIdentifier form (RFC 5280 4.2.1.1). */
export function authorityKeyIdentifier(issuerSpki: Uint8Array): Uint8Array {
  return encodeExtension(OID.authorityKeyIdentifier, derSequence(derContextPrimitive(0, keyIdentifier(issuerSpki))));
}

/** GeneralName uniformResourceIdentifier. */
const uri = (url: string): Uint8Array => derContextPrimitive(6, ascii(url));

/** The extensions of a certificate of this profile, RFC 5280 4.2; criticality as the RFC asks. */
export function profileExtensions(profile: CertificateProfile, subjectSpki: Uint8Array, issuerSpki: Uint8Array): Uint8Array[] {
  const usages = profile.keyUsage.map((usage) => KEY_USAGES.indexOf(usage));
  const purposes = profile.extendedKeyUsage.map((usage) => derOid(EXTENDED_KEY_USAGES[usage]));
  const optional = (present: boolean, make: () => Uint8Array): Uint8Array[] => (present ? [make()] : []);
  return [
    encodeExtension(OID.basicConstraints, profile.ca === undefined ? derSequence() : derSequence(derBoolean(true), derInteger(profile.ca.pathLength)), true),
    encodeExtension(OID.keyUsage, derNamedBits(usages), true),
    encodeExtension(OID.subjectKeyIdentifier, derOctetString(keyIdentifier(subjectSpki))),
    authorityKeyIdentifier(issuerSpki),
    ...optional(purposes.length > 0, () => encodeExtension(OID.extendedKeyUsage, derSequence(...purposes))),
    ...optional(profile.ocspNoCheck, () => encodeExtension(OID.ocspNoCheck, derNull())),
    ...optional(profile.policies.length > 0, () =>
      encodeExtension(OID.certificatePolicies, derSequence(...profile.policies.map((policy) => derSequence(derOid(policy))))),
    ),
    ...optional(profile.ocspUrl !== undefined, () =>
      encodeExtension(OID.authorityInfoAccess, derSequence(derSequence(derOid(OID.accessOcsp), uri(profile.ocspUrl ?? '')))),
    ),
    ...optional(profile.crlUrl !== undefined, () =>
      encodeExtension(OID.crlDistributionPoints, derSequence(derSequence(derContext(0, derContext(0, uri(profile.crlUrl ?? '')))))),
    ),
  ];
}
