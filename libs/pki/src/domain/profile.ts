import { z } from 'zod';
import { KEY_ALGORITHMS } from './key-algorithm.js';

/** RFC 5280 4.2.1.3, in bit order. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

/** RFC 5280 4.2.1.12 and RFC 6960 4.2.2.2. */
export const EXTENDED_KEY_USAGES = {
  clientAuth: '1.3.6.1.5.5.7.3.2',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
} as const;

/** Whose certificate it is. `ca` and `service` keys live in a token; the others are the subjects' own. */
export const HOLDER_KINDS = {
  ca: /^[a-z0-9][a-z0-9-]{0,62}$/,
  service: /^[a-z0-9][a-z0-9./-]{0,62}$/,
  institution: /^[A-Z0-9]{12}$/,
  terminal: /^[0-9]{12}$/,
  card: /^[0-9A-Z]{9}$/,
} as const;
export type HolderKind = keyof typeof HOLDER_KINDS;

/** What one kind of certificate is like. A file of certs/profiles; the file's name is the profile's name. */
export const CertificateProfile = z
  .strictObject({
    title: z.strictObject({ zh: z.string().min(1), en: z.string().min(1) }),
    holder: z.enum(Object.keys(HOLDER_KINDS) as [HolderKind, ...HolderKind[]]),
    /** Profiles of the CAs that may issue it. */
    issuedBy: z.array(z.string()).min(1),
    keys: z.array(z.enum(KEY_ALGORITHMS)).min(1),
    /** Class of the token key (libs/hsm), for holders whose key is in a token. */
    keyClass: z.enum(['caSigning', 'ocspSigning', 'reportSigning']).optional(),
    maxValidityDays: z.int().min(1).max(36_525),
    ca: z.strictObject({ pathLength: z.int().min(0).max(3) }).optional(),
    keyUsage: z.array(z.enum(KEY_USAGES)).min(1),
    extendedKeyUsage: z.array(z.enum(Object.keys(EXTENDED_KEY_USAGES) as [keyof typeof EXTENDED_KEY_USAGES])).default([]),
    /** id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1). */
    ocspNoCheck: z.boolean().default(false),
    policies: z.array(z.string().regex(/^[0-2](\.\d+)+$/)).default([]),
    ocspUrl: z.url().optional(),
    crlUrl: z.url().optional(),
  })
  .refine((profile) => (profile.ca !== undefined) === profile.keyUsage.includes('keyCertSign'), 'keyCertSign is for a CA, and only for a CA')
  .refine((profile) => ['ca', 'service'].includes(profile.holder) === (profile.keyClass !== undefined), 'keyClass is for token keys, and only for them');
export type CertificateProfile = z.infer<typeof CertificateProfile> & { readonly name: string };
