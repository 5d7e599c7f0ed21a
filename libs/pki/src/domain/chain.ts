import { nameHash, type ParsedCertificate } from './certificate.js';
import { type PublicKey, readPublicKey, verifySignature } from './key-algorithm.js';

export interface CaCertificate {
  readonly certificate: ParsedCertificate;
  /** A trust anchor: its own signature proves nothing and is not asked. */
  readonly trusted: boolean;
  /** From when on this CA itself is not trusted (revoked by its issuer). */
  readonly distrustedFrom: Date | undefined;
}

/** The time in which a whole path is valid, and how many more CAs may follow below it. */
export interface ChainWindow {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly remainingPathLength: number;
}

export interface ChainFinding {
  /** The CA whose key verifies the certificate, trusted or not; undefined when none is known. */
  readonly issuer: ParsedCertificate | undefined;
  /** undefined: no path of good signatures leads to a trust anchor. */
  readonly window: ChainWindow | undefined;
}

interface Node extends CaCertificate {
  readonly publicKey: PublicKey | undefined;
  window: ChainWindow | undefined | 'unknown' | 'open';
}

/**
 * Signature chains to trust anchors (RFC 5280 6.1, the parts this product needs: signatures, names, basicConstraints,
 * keyCertSign, path length, validity as a window that the judge compares with the time judged). Each CA is checked once.
 */
export class TrustGraph {
  private readonly bySubject = new Map<string, Node[]>();

  constructor(authorities: readonly CaCertificate[]) {
    for (const authority of authorities) {
      const node: Node = { ...authority, publicKey: readPublicKey(authority.certificate.publicKey), window: 'unknown' };
      const key = nameHash(authority.certificate.subject);
      this.bySubject.set(key, [...(this.bySubject.get(key) ?? []), node]);
    }
  }

  check(certificate: ParsedCertificate): ChainFinding {
    let issuer: ParsedCertificate | undefined;
    for (const node of this.bySubject.get(nameHash(certificate.issuer)) ?? []) {
      if (!issued(node, certificate)) continue;
      const window = this.windowOf(node);
      if (window !== undefined) return { issuer: node.certificate, window };
      issuer ??= node.certificate;
    }
    return { issuer, window: undefined };
  }

  private windowOf(node: Node): ChainWindow | undefined {
    if (node.window === 'open') return undefined; // A ring of CAs leads nowhere.
    if (node.window === 'unknown') {
      node.window = 'open';
      node.window = this.findWindow(node);
    }
    return node.window;
  }

  private findWindow(node: Node): ChainWindow | undefined {
    const { certificate, trusted, distrustedFrom } = node;
    if (!certificate.isCa || !certificate.mayCertify) return undefined;
    const own = { notBefore: certificate.notBefore, notAfter: earlier(certificate.notAfter, distrustedFrom) };
    const ownLimit = certificate.pathLength ?? Infinity;
    if (trusted) return { ...own, remainingPathLength: ownLimit };
    const above = this.check(certificate).window;
    if (above === undefined || above.remainingPathLength < 1) return undefined;
    return {
      notBefore: own.notBefore > above.notBefore ? own.notBefore : above.notBefore,
      notAfter: earlier(own.notAfter, above.notAfter),
      remainingPathLength: Math.min(ownLimit, above.remainingPathLength - 1),
    };
  }
}

function issued(node: Node, certificate: ParsedCertificate): boolean {
  return (
    node.publicKey !== undefined && verifySignature(node.publicKey, certificate.signatureOid, certificate.tbs, certificate.signature)
  );
}

const earlier = (a: Date, b: Date | undefined): Date => (b !== undefined && b < a ? b : a);
