import { AppError, DER, type DerElement, derChildren, derContent, readCheckpoint, readDer, type SignPurpose } from '#libs/platform/domain';

/**
 * Throws SIGN_TYPE_MISMATCH unless `bytes` are, to the last octet, the structure that `purpose` names. The five
 * structures exclude one another (a checkpoint is a text, the others are DER of different form), so a key of one purpose never
 * makes a signature that counts for another.
 */
export function requireSignStructure(purpose: SignPurpose, bytes: Uint8Array): void {
  if (!parses(purpose, bytes)) throw new AppError('SIGN_TYPE_MISMATCH', { purpose });
}

function parses(purpose: SignPurpose, bytes: Uint8Array): boolean {
  if (purpose === 'checkpoint') return readCheckpoint(bytes) !== undefined;
  try {
    const whole = readDer(bytes);
    return whole.end === bytes.length && STRUCTURES[purpose](bytes, whole);
  } catch {
    // DER_MALFORMED somewhere inside: not this structure.
    return false;
  }
}

const CONTEXT = (tag: number): number => 0xa0 | tag;
const OID_CONTENT_TYPE = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03);
const OID_MESSAGE_DIGEST = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04);
const SHA256_BYTES = 32;

const isTime = (element: DerElement | undefined): boolean => element?.tag === DER.utcTime || element?.tag === DER.generalizedTime;

const STRUCTURES: Readonly<Record<Exclude<SignPurpose, 'checkpoint'>, (bytes: Uint8Array, whole: DerElement) => boolean>> = {
  /** RFC 5280 4.1: version 3, serial, algorithm, issuer, validity, subject, key, [3] extensions (and [1], [2] before). */
  tbsCertificate(bytes, whole) {
    if (whole.tag !== DER.sequence) return false;
    const [version, serial, algorithm, issuer, validity, subject, key, ...rest] = derChildren(bytes, whole);
    return (
      isVersion(bytes, version, 2) &&
      serial?.tag === DER.integer &&
      [algorithm, issuer, subject].every((element) => element?.tag === DER.sequence) &&
      validity?.tag === DER.sequence &&
      holds(bytes, validity, [isTime, isTime]) &&
      key?.tag === DER.sequence &&
      holds(bytes, key, [tagged(DER.sequence), tagged(DER.bitString)]) &&
      rest.at(-1)?.tag === CONTEXT(3) &&
      ascendingTags(rest, [0x81, CONTEXT(1), 0x82, CONTEXT(2), CONTEXT(3)])
    );
  },

  /** RFC 5280 5.1: version 2 (INTEGER 1), algorithm, issuer, thisUpdate, nextUpdate, entries if any, [0] extensions. */
  tbsCrl(bytes, whole) {
    if (whole.tag !== DER.sequence) return false;
    const [version, algorithm, issuer, thisUpdate, nextUpdate, ...rest] = derChildren(bytes, whole);
    return (
      version?.tag === DER.integer &&
      equals(derContent(bytes, version), Uint8Array.of(1)) &&
      algorithm?.tag === DER.sequence &&
      issuer?.tag === DER.sequence &&
      isTime(thisUpdate) &&
      isTime(nextUpdate) &&
      rest.at(-1)?.tag === CONTEXT(0) &&
      ascendingTags(rest, [DER.sequence, CONTEXT(0)])
    );
  },

  /** RFC 6960 4.2.1 ResponseData: version 1 (default, absent), responder [1] or [2], producedAt, responses, [1] extensions. */
  ocspResponse(bytes, whole) {
    if (whole.tag !== DER.sequence) return false;
    const [responder, producedAt, responses, ...rest] = derChildren(bytes, whole);
    return (
      (responder?.tag === CONTEXT(1) || responder?.tag === CONTEXT(2)) &&
      producedAt?.tag === DER.generalizedTime &&
      responses?.tag === DER.sequence &&
      derChildren(bytes, responses).every(({ tag }) => tag === DER.sequence) &&
      ascendingTags(rest, [CONTEXT(1)])
    );
  },

  /** RFC 5652 5.4: the DER SET OF signed attributes of a CMS; content type and a SHA-256 message digest are among them. */
  report(bytes, whole) {
    if (whole.tag !== DER.set) return false;
    const attributes = derChildren(bytes, whole);
    const encodings = attributes.map((element) => bytes.subarray(element.start, element.end));
    if (!encodings.every((encoding, i) => i === 0 || Buffer.compare(encodings[i - 1] as Uint8Array, encoding) < 0)) return false;
    if (!attributes.every((element) => element.tag === DER.sequence && holds(bytes, element, [tagged(DER.oid), tagged(DER.set)]))) return false;
    const contentType = attributeValue(bytes, attributes, OID_CONTENT_TYPE);
    const messageDigest = attributeValue(bytes, attributes, OID_MESSAGE_DIGEST);
    return (
      contentType?.tag === DER.oid &&
      messageDigest?.tag === DER.octetString &&
      messageDigest.end - messageDigest.contentStart === SHA256_BYTES
    );
  },
};

function isVersion(bytes: Uint8Array, element: DerElement | undefined, version: number): boolean {
  if (element?.tag !== CONTEXT(0)) return false;
  const [number, ...rest] = derChildren(bytes, element);
  return number?.tag === DER.integer && rest.length === 0 && equals(derContent(bytes, number), Uint8Array.of(version));
}

function holds(bytes: Uint8Array, parent: DerElement, wanted: readonly ((element: DerElement) => boolean)[]): boolean {
  const children = derChildren(bytes, parent);
  return children.length === wanted.length && children.every((child, i) => wanted[i]?.(child) === true);
}

function tagged(tag: number): (element: DerElement) => boolean {
  return (element) => element.tag === tag;
}

/** Every element has one of `tags`, each at most once, in that order. */
function ascendingTags(elements: readonly DerElement[], tags: readonly number[]): boolean {
  const places = elements.map(({ tag }) => tags.indexOf(tag));
  return places.every((place, i) => place >= 0 && (i === 0 || place > (places[i - 1] as number)));
}

/** The only value of the only attribute of this type. */
function attributeValue(bytes: Uint8Array, attributes: readonly DerElement[], oid: Uint8Array): DerElement | undefined {
  const found = attributes.map((attribute) => derChildren(bytes, attribute)).filter(([type]) => type && equals(derContent(bytes, type), oid));
  const values = found.length === 1 && found[0]?.[1] ? derChildren(bytes, found[0][1]) : [];
  return values.length === 1 ? values[0] : undefined;
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
