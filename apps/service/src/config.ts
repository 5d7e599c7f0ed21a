import { z } from 'zod';
import { AccessConfig } from '#libs/access';
import { HttpConfig } from './http/http-config.js';

const Parts = z.strictObject({
  databaseUrl: z.string().min(1),
  /** The supervisor's socket of client `service`. */
  hsmSocket: z.string().min(1),
  /** Where commands arrive until operators can sign in: a Unix socket, 0600. */
  commandSocket: z.string().min(1),
  http: HttpConfig,
  /** Folder of the sign-in and approval pages (apps/service/pages in the checkout). */
  pagesDir: z.string().min(1),
  /** Content-addressed evidence: received files, results, reports. */
  evidenceDir: z.string().min(1),
  /** Folder of certificate profiles (certs/profiles in the checkout). */
  profilesDir: z.string().min(1),
  /** Folder of yearly calendars of working days (libs/organisations/calendars in the checkout). */
  calendarsDir: z.string().min(1),
  /** Operators and their rights. */
  access: AccessConfig,
  /** How long a request and a new policy wait for approvers, and what a batch ticket asks for. */
  approvals: z
    .strictObject({
      requestMinutes: z.int().min(1).max(1440).default(15),
      ticketCount: z.int().min(1).max(100_000_000).default(100_000),
      ticketHours: z.int().min(1).max(744).default(24),
      policyHours: z.int().min(1).max(336).default(72),
    })
    .prefault({}),
});

/** The service's configuration file. `./hufu` writes it for the embedded default. */
export const ServiceConfig = Parts.refine(({ http, access }) => http.tls === undefined || access.signIn.origins !== undefined, { path: ['access', 'signIn', 'origins'], error: 'with TLS the origins are named' }).refine(
  ({ access }) => Object.values(access.signIn.origins ?? {}).every((origin) => origin === undefined || origin.startsWith('https:') || new URL(origin).hostname.endsWith('.localhost')),
  { path: ['access', 'signIn', 'origins'], error: 'origins are https:, or http: on *.localhost, which never leaves the machine' },
);
export type ServiceConfig = z.infer<typeof ServiceConfig>;
