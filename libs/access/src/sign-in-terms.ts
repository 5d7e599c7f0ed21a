import { z } from 'zod';

const host = z.string().max(253).regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host name, lower case');
const origin = z.string().max(300).regex(/^https?:\/\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/, 'scheme, host and port, without a path');
const minutes = (usual: number, most: number) => z.int().min(1).max(most).default(usual);

/** Models of authenticators that may be enrolled; with `roots`, only when their attestation leads to one of these certificates. */
const Authenticators = z
  .array(
    z.strictObject({
      aaguid: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      name: z.string().min(1).max(100),
      /** PEM files. Without any, the model is what the authenticator says of itself: for rehearsal. */
      roots: z.array(z.string().min(1)).max(16).default([]),
    }),
  )
  .max(64);

/** How operators sign in. */
export const SignInConfig = z
  .strictObject({
    /** Relying party ids (WebAuthn): sign-in counts at both hosts, approving at its own alone. */
    rpIds: z.strictObject({ signIn: host, approve: host }).prefault({ signIn: 'hufu.localhost', approve: 'approve.hufu.localhost' }),
    /** Where browsers reach the service. Absent: plain http on the hosts of `rpIds`, at the port that the service listens on. */
    origins: z.strictObject({ console: origin, approve: origin, certificate: origin.optional() }).optional(),
    authenticators: Authenticators.default([]),
    enrolmentMinutes: minutes(60, 1440),
    sessionHours: z.int().min(1).max(24).default(8),
    idleMinutes: minutes(15, 240),
    /** How fresh a proof of identity must be where a route asks for it. */
    stepUpMinutes: minutes(5, 60),
    /** So many failures of one account within `failureMinutes` lock it for `lockMinutes`. */
    lockFailures: z.int().min(3).max(20).default(5),
    failureMinutes: minutes(15, 1440),
    lockMinutes: minutes(15, 1440),
    /** Failures from one address within a minute. */
    sourceFailures: z.int().min(5).max(10_000).default(30),
  })
  .refine(({ rpIds }) => rpIds.approve.endsWith(`.${rpIds.signIn}`), 'the host of approvals lies below that of sign-in')
  .prefault({});
export type SignInConfig = z.infer<typeof SignInConfig>;
