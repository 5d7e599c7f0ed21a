import { isIPv4 } from 'node:net';
import { z } from 'zod';

const port = z.int().min(0).max(65_535);
const serverKey = { certificateFile: z.string().min(1), keyFile: z.string().min(1) };

/** Where operators reach the service. */
export const HttpConfig = z
  .strictObject({
    host: z.string().min(1),
    port,
    /** Certificate chain and key, PEM; the key file is nobody else's to read (0600). */
    tls: z.strictObject(serverKey).optional(),
    /** Where the agent of a UKey listens on the operators' own machines: the one foreign address that a page may ask. */
    ukeyAgentPort: z.int().min(1024).max(65_535).default(17_317),
    /** A listener of its own that asks for client certificates, on a host name of its own: browsers ask the user on every connection. */
    clientCertificates: z
      .strictObject({
        host: z.string().min(1),
        port,
        hostName: z.string().max(253).regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host name in lower case'),
        ...serverKey,
        /** Certificates of the authorities whose client certificates are taken, PEM. */
        caFile: z.string().min(1),
      })
      .optional(),
  })
  .refine(({ host, tls }) => tls !== undefined || isLoopback(host), { path: ['tls'], message: 'plain HTTP is for loopback addresses only; name certificateFile and keyFile' });
export type HttpConfig = z.infer<typeof HttpConfig>;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
