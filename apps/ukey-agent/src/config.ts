import { z } from 'zod';

/** Scheme, host and port as a browser sends them; http only where it stays on this machine. */
const origin = z.string().max(300).refine((text) => {
  const url = URL.parse(text);
  return url !== null && url.origin === text && (url.protocol === 'https:' || (url.protocol === 'http:' && /(^|\.)localhost$/.test(url.hostname)));
}, 'an origin such as https://hufu.example');

const Pkcs11 = z.strictObject({
  kind: z.literal('pkcs11'),
  /** Path of the vendor's module. */
  module: z.string().startsWith('/'),
  /** A file of libs/hsm/profiles. */
  profile: z.string().min(1),
  /** Left out: the only token that is plugged in. */
  tokenSerial: z.string().min(1).max(16).optional(),
  /** What the module reads from its environment; the launcher hands it on. */
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
});

/** The agent listens on 127.0.0.1 and nowhere else: there is no field for an address. */
export const UkeyAgentConfig = z.strictObject({
  port: z.int().min(1024).max(65_535).default(17_317),
  /** Pages that may ask. */
  origins: z.array(origin).min(1).max(8),
  driver: z.discriminatedUnion('kind', [Pkcs11]),
  /** How long a question waits at the terminal. */
  answerSeconds: z.int().min(2).max(300).default(60),
  /** Left out: standard error. */
  logFile: z.string().startsWith('/').optional(),
});
export type UkeyAgentConfig = z.infer<typeof UkeyAgentConfig>;
