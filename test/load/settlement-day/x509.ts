import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';

/**
 * Just enough DER (X.690), PKCS#10 (RFC 2986) and X.509 (RFC 5280) to be a stranger to the product: nothing here is
 * shared with it, so that a fault in its own reading and writing cannot cancel out.
 */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const length = content.length < 0x100 ? Buffer.of(0x81, content.length) : Buffer.of(0x82, content.length >> 8, content.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

const sequence = (...parts: Uint8Array[]): Buffer => tlv(0x30, ...parts);
const OIDS = {
  ecdsaSha256: '06082A8648CE3D040302',
  rsaSha256: '06092A864886F70D01010B',
  country: '0603550406',
  organisation: '060355040A',
  unit: '060355040B',
  commonName: '0603550403',
  basicConstraints: '0603551D13',
  keyUsage: '0603551D0F',
} as const;
const oid = (name: keyof typeof OIDS): Buffer => Buffer.from(OIDS[name], 'hex');
const integer = (hex: string): Buffer => {
  const bytes = Buffer.from(hex, 'hex');
  return tlv(0x02, (bytes[0] as number) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
};

export interface Subject {
  readonly organisation: string;
  readonly unit?: string;
  readonly commonName: string;
}

export function name(subject: Subject): Buffer {
  const attribute = (type: keyof typeof OIDS, tag: number, text: string): Buffer => tlv(0x31, sequence(oid(type), tlv(tag, Buffer.from(text, 'utf8'))));
  return sequence(
    attribute('country', 0x13, 'CN'),
    attribute('organisation', 0x0c, subject.organisation),
    ...(subject.unit === undefined ? [] : [attribute('unit', 0x0c, subject.unit)]),
    attribute('commonName', 0x0c, subject.commonName),
  );
}

const spkiOf = (key: KeyObject): Buffer => (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' });
const algorithmOf = (key: KeyObject): Buffer => (key.asymmetricKeyType === 'rsa' ? sequence(oid('rsaSha256'), tlv(0x05)) : sequence(oid('ecdsaSha256')));
const signed = (tbs: Buffer, key: KeyObject): Buffer => sequence(tbs, algorithmOf(key), tlv(0x03, Buffer.of(0), sign('sha256', tbs, key)));

/** PKCS#10, self-signed: the proof that the holder has the key. */
export function certificateRequest(subject: Subject, key: KeyObject): Buffer {
  return signed(sequence(integer('00'), name(subject), spkiOf(key), tlv(0xa0)), key);
}

export interface CertificateOrder {
  /** Hex, positive. */
  readonly serial: string;
  readonly issuer: Buffer;
  readonly issuerKey: KeyObject;
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly isCa: boolean;
}

export function certificate(order: CertificateOrder): Buffer {
  // digitalSignature + nonRepudiation, or keyCertSign + cRLSign (RFC 5280 4.2.1.3).
  const usage = order.isCa ? '03020106' : '030206C0';
  const critical = Buffer.from('0101FF', 'hex');
  const extensions = [
    sequence(oid('basicConstraints'), critical, tlv(0x04, order.isCa ? sequence(critical) : sequence())),
    sequence(oid('keyUsage'), critical, tlv(0x04, Buffer.from(usage, 'hex'))),
  ];
  const tbs = sequence(
    tlv(0xa0, integer('02')),
    integer(order.serial),
    algorithmOf(order.issuerKey),
    order.issuer,
    sequence(utcTime(order.notBefore), utcTime(order.notAfter)),
    order.subject,
    spkiOf(order.publicKey),
    tlv(0xa3, sequence(...extensions)),
  );
  return signed(tbs, order.issuerKey);
}

/** RFC 5280 4.1.2.5: UTCTime until 2049, GeneralizedTime from then on. */
function utcTime(at: Date): Buffer {
  const digits = at.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  return at.getUTCFullYear() < 2050 ? tlv(0x17, Buffer.from(`${digits.slice(2)}Z`)) : tlv(0x18, Buffer.from(`${digits}Z`));
}

/** What a message names a certificate by: serial (hex) and SHA-256 of the issuer Name, both upper case. */
export function certificateNames(der: Uint8Array): { serial: string; issuerHash: string } {
  const tbs = element(der, element(der, 0).start);
  const version = element(der, tbs.start);
  const serial = element(der, version.end);
  const issuerAt = element(der, serial.end).end;
  let content = Buffer.from(der.subarray(serial.start, serial.end));
  if (content.length > 1 && content[0] === 0) content = content.subarray(1);
  return {
    serial: content.toString('hex').toUpperCase(),
    issuerHash: createHash('sha256').update(der.subarray(issuerAt, element(der, issuerAt).end)).digest('hex').toUpperCase(),
  };
}

function element(der: Uint8Array, at: number): { start: number; end: number } {
  const first = der[at + 1] as number;
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const count = first & 0x7f;
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + (der[at + 2 + i] as number);
  return { start: at + 2 + count, end: at + 2 + count + length };
}
