import { createPublicKey, hash, verify } from 'node:crypto';
import { z } from 'zod';
import type { Bilingual } from '#libs/platform/domain';

const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/, '32 bytes, base64url');

/** The public half of a browser's P-256 key (RFC 7517). A private member is refused: nobody should send it. */
export const ProofKey = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: coordinate,
  y: coordinate,
  ext: z.boolean().optional(),
  key_ops: z.array(z.string().max(16)).max(8).optional(),
  alg: z.literal('ES256').optional(),
});
export type ProofKey = z.infer<typeof ProofKey>;

const Header = z.strictObject({ typ: z.literal('dpop+jwt'), alg: z.literal('ES256'), jwk: ProofKey });
const Claims = z.strictObject({
  jti: z.string().min(16).max(128),
  htm: z.string().min(1).max(16),
  htu: z.string().min(1).max(2048),
  /** Seconds since 1970. */
  iat: z.int().min(0),
  ath: z.string().max(64).optional(),
});

/** RFC 7638: SHA-256 of the required members in their order, base64url. */
export function thumbprint({ crv, kty, x, y }: ProofKey): string {
  return hash('sha256', JSON.stringify({ crv, kty, x, y }), 'base64url');
}

export interface RequestProofTerms {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** Each with scheme and port: the places where this service is reached. */
  readonly origins: readonly string[];
  readonly at: Date;
  /** `thumbprint` of the key that the session is bound to. */
  readonly proofKey: string;
  /** base64url SHA-256 of the session's token; undefined before there is a session. */
  readonly tokenDigest: string | undefined;
}

/** A proof is as old or as young as clocks of browsers differ. */
export const PROOF_SECONDS = 60;
const LONGEST = 4096;

/** What is wrong with a proof: the first rule of RFC 9449 4.3 that does not hold. */
export const PROOF_FAULTS = {
  missing: { zh: '没有 DPoP 证明', en: 'there is no DPoP proof' },
  form: { zh: '格式错误', en: 'it has not the form of a DPoP proof' },
  key: { zh: '不是本会话的密钥', en: 'the key is not that of the session' },
  signature: { zh: '签名错误', en: 'the signature does not hold' },
  method: { zh: '为其他方法而作', en: 'it was made for another method' },
  address: { zh: '为其他地址而作', en: 'it was made for another address' },
  time: { zh: '时间不在允许范围', en: 'its time is too far off' },
  token: { zh: '不属于本会话', en: 'it was made for another session' },
  replay: { zh: '已使用过', en: 'it was used before' },
  certificate: { zh: '连接未使用登录时的证书', en: 'the connection has not the certificate that signed in' },
} as const satisfies Record<string, Bilingual>;
export type ProofFault = keyof typeof PROOF_FAULTS;

export interface RequestProof {
  /** SHA-256 of the jti, upper-case hex: what is kept of it. */
  readonly jtiDigest: string;
  /** When the proof stops counting by itself. */
  readonly expiresAt: Date;
}

/** RFC 9449 4.3, all but the memory of what was used. Undefined `text`: no header. */
export function readRequestProof(text: string | undefined, terms: RequestProofTerms): RequestProof | ProofFault {
  if (text === undefined) return 'missing';
  const [head = '', body = '', signature = '', ...more] = text.length > LONGEST ? [] : text.split('.');
  const header = Header.safeParse(jsonOf(head));
  const claims = Claims.safeParse(jsonOf(body));
  if (!header.success || !claims.success || more.length > 0 || !/^[A-Za-z0-9_-]{86}$/.test(signature)) return 'form';
  const { jti, htm, htu, iat, ath } = claims.data;
  if (thumbprint(header.data.jwk) !== terms.proofKey) return 'key';
  if (!signedBy(header.data.jwk, `${head}.${body}`, signature)) return 'signature';
  if (htm !== terms.method) return 'method';
  if (!terms.origins.some((origin) => htu === `${origin}${terms.path}`)) return 'address';
  if (Math.abs(terms.at.getTime() - iat * 1000) > PROOF_SECONDS * 1000) return 'time';
  if (ath !== terms.tokenDigest) return 'token';
  return { jtiDigest: hash('sha256', jti, 'hex').toUpperCase(), expiresAt: new Date((iat + PROOF_SECONDS + 1) * 1000) };
}

function jsonOf(part: string): unknown {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url')));
  } catch {
    // Not JSON: a verdict about what was sent.
    return undefined;
  }
}

function signedBy({ kty, crv, x, y }: ProofKey, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' });
    return verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
  } catch {
    // Not a point of the curve.
    return false;
  }
}
