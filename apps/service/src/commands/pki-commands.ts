import { z } from 'zod';
import type { JsonValue } from '#libs/platform';
import { HOLDER_KINDS, type HolderKind, Pki, REVOCATION_REASON_NAMES, SubjectName } from '#libs/pki';
import { command, type Command } from './command.js';
import { base64, instant, label, toBase64 } from './fields.js';

const caId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/);
const device = z.string().min(1).max(64);
const authority = z.strictObject({ caId, subject: SubjectName, device, notBefore: instant, notAfter: instant });
const enrolment = z.strictObject({
  profile: z.string().max(32),
  csr: base64,
  subject: SubjectName,
  notBefore: instant,
  notAfter: instant,
  holder: z.strictObject({ kind: z.enum(Object.keys(HOLDER_KINDS) as [HolderKind, ...HolderKind[]]), id: z.string().max(64) }),
});

const issued = (certificate: { serial: string; certificate: Uint8Array }): { serial: string; certificate: string } => ({
  serial: certificate.serial,
  certificate: toBase64(certificate.certificate),
});

export const PKI_COMMANDS: Readonly<Record<string, Command>> = {
  'pki.createRootCa': command(authority, async (app, args) => issued(await app.get(Pki).createRootCa(args))),
  'pki.createIssuingCa': command(authority.extend({ parent: caId }), async (app, args) => issued(await app.get(Pki).createIssuingCa(args))),
  'pki.issueForKey': command(
    z.strictObject({ issuer: caId, profile: z.string().max(32), subject: SubjectName, keyLabel: label, device, notBefore: instant, notAfter: instant }),
    async (app, args) => issued(await app.get(Pki).issueForKey(args)),
  ),
  'pki.enrol': command(z.strictObject({ caId, requests: z.array(enrolment).max(500) }), async (app, args, progress) => {
    const results = await app.get(Pki).enrol(args.caId, args.requests, (done) => progress(done, args.requests.length));
    return results.map((result) => (result.ok ? { ok: true, ...issued(result) } : { ok: false, code: result.code, details: result.details as JsonValue }));
  }),
  'pki.revoke': command(
    z.strictObject({ issuer: caId, serial: z.string().max(64), reason: z.enum(REVOCATION_REASON_NAMES), effectiveAt: instant }),
    async (app, args) => {
      await app.get(Pki).revoke(args);
      return null;
    },
  ),
  'pki.issueCrl': command(z.strictObject({ caId, thisUpdate: instant, nextUpdate: instant }), async (app, { caId: id, ...times }) =>
    toBase64(await app.get(Pki).issueCrl(id, times)),
  ),
  'pki.importForeign': command(
    z.strictObject({
      certificates: z.array(base64).max(1_000),
      caCertificates: z.array(base64).max(100),
      crls: z.array(z.strictObject({ der: base64, receivedAt: instant })).max(100),
      trusted: z.boolean(),
    }),
    async (app, args) => app.get(Pki).importForeign(args),
  ),
};
