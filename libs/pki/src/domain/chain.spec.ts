import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { derBoolean, derInteger, derNamedBits, derSequence, encodeExtension } from '#libs/platform/domain';
import { makePair } from '../../../../test/builders/certificate-request.js';
import { encodeSigned, encodeTbsCertificate, type ParsedCertificate, readCertificate } from './certificate.js';
import { type CaCertificate, TrustGraph } from './chain.js';
import { encodeName } from './name.js';
import { OID } from './oids.js';

const year = (n: number): Date => new Date(Date.UTC(n, 0, 1));

interface Entity {
  readonly name: string;
  readonly key: KeyObject;
}
const entity = (name: string): Entity => ({ name, key: makePair('p256') });

interface Shape {
  ca?: boolean;
  pathLength?: number;
  usage?: number;
  from?: number;
  to?: number;
}

let serials = 0x40;
function certify(subject: Entity, issuer: Entity, shape: Shape = {}): ParsedCertificate {
  const { ca = true, pathLength, usage = 5, from = 2020, to = 2030 } = shape;
  const constraints = ca ? derSequence(derBoolean(true), ...(pathLength === undefined ? [] : [derInteger(pathLength)])) : derSequence();
  const tbs = encodeTbsCertificate({
    serial: (serials++).toString(16).toUpperCase().padStart(2, '0'),
    issuer: encodeName({ commonName: issuer.name }),
    subject: encodeName({ commonName: subject.name }),
    notBefore: year(from),
    notAfter: year(to),
    publicKey: createPublicKey(subject.key).export({ type: 'spki', format: 'der' }),
    issuerAlgorithm: 'p256',
    extensions: [encodeExtension(OID.basicConstraints, constraints, true), encodeExtension(OID.keyUsage, derNamedBits([usage]), true)],
  });
  return readCertificate(encodeSigned(tbs, 'p256', sign('sha256', tbs, issuer.key)));
}
const known = (certificate: ParsedCertificate, trusted = false, distrustedFrom?: Date): CaCertificate => ({ certificate, trusted, distrustedFrom });

const [root, middle, leaf, stranger] = [entity('root'), entity('middle'), entity('leaf'), entity('stranger')];
const rootCertificate = certify(root, root);
const leafCertificate = certify(leaf, middle, { ca: false, usage: 0 });

describe('trust graph', () => {
  it('leads to an anchor, and is valid when every CA on the way is', () => {
    const middleCertificate = certify(middle, root, { from: 2021, to: 2028, pathLength: 0 });
    const finding = new TrustGraph([known(rootCertificate, true), known(middleCertificate)]).check(leafCertificate);
    expect(finding.window).toMatchObject({ notBefore: year(2021), notAfter: year(2028) });
    expect(finding.issuer).toBe(middleCertificate);
  });

  it('ends where a CA was revoked', () => {
    const graph = new TrustGraph([known(rootCertificate, true), known(certify(middle, root), false, year(2024))]);
    expect(graph.check(leafCertificate).window?.notAfter).toEqual(year(2024));
  });

  it.each<[string, () => CaCertificate[]]>([
    ['the anchor is not trusted', () => [known(rootCertificate), known(certify(middle, root))]],
    ['the CA is missing', () => [known(rootCertificate, true)]],
    ['a stranger of the same name signed', () => [known(rootCertificate, true), known(certify({ ...middle, key: stranger.key }, root))]],
    ['the CA was signed by a stranger of the root’s name', () => [known(rootCertificate, true), known(certify(middle, { ...stranger, name: 'root' }))]],
    ['the issuer is no CA', () => [known(rootCertificate, true), known(certify(middle, root, { ca: false, usage: 0 }))]],
    ['the issuer may not certify', () => [known(rootCertificate, true), known(certify(middle, root, { usage: 6 }))]],
    ['the path is too long', () => [known(certify(root, root, { pathLength: 0 }), true), known(certify(middle, root))]],
    ['CAs certify each other in a ring', () => [known(certify(middle, stranger)), known(certify(stranger, middle))]],
  ])('leads nowhere when %s', (_name, authorities) => {
    expect(new TrustGraph(authorities()).check(leafCertificate).window).toBeUndefined();
  });

  it('tries every CA of that name', () => {
    const graph = new TrustGraph([known(certify({ ...middle, key: stranger.key }, root), true), known(certify(middle, root)), known(rootCertificate, true)]);
    expect(graph.check(leafCertificate).window).toBeDefined();
  });

  it('refuses a certificate whose bytes were changed', () => {
    const graph = new TrustGraph([known(rootCertificate, true), known(certify(middle, root))]);
    const forged = leafCertificate.tbs.with(-1, (leafCertificate.tbs.at(-1) ?? 0) ^ 1);
    expect(graph.check({ ...leafCertificate, tbs: forged }).window).toBeUndefined();
  });
});
