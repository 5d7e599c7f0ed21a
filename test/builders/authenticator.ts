import { generateKeyPairSync, hash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { encode } from 'cborg';
import { OpensslFolder } from './openssl.js';

/** A model of a made-up maker. */
export const MODEL = 'd0c0ffee-0000-4000-8000-000000000001';

const FLAGS = { present: 0x01, verified: 0x04, backupEligible: 0x08, attested: 0x40 } as const;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

export interface Page {
  readonly challenge: string;
  readonly rpId: string;
  readonly origin: string;
}

/** How an authenticator, or whoever stands before it, misbehaves. */
export interface Misbehaviour {
  readonly origin?: string;
  readonly rpId?: string;
  readonly challenge?: string;
  readonly flags?: number;
  readonly signCount?: number;
  readonly key?: KeyObject;
  readonly crossOrigin?: boolean;
}

export interface Maker {
  readonly key: KeyObject;
  /** Leaf first, DER. */
  readonly x5c: readonly Uint8Array[];
}

/** An authenticator in software, by hand and with nothing of the product in it: `packed` attestation, ES256, a count that grows. */
export class SoftAuthenticator {
  readonly credentialId = randomBytes(48);
  readonly publicKey: KeyObject;
  private readonly privateKey: KeyObject;
  signCount = 0;

  /** Without a maker the key attests itself (WebAuthn 8.2, self attestation). */
  constructor(
    readonly aaguid: string = MODEL,
    private readonly maker?: Maker,
  ) {
    ({ publicKey: this.publicKey, privateKey: this.privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }));
  }

  get keyDigest(): string {
    return hash('sha256', this.publicKey.export({ type: 'spki', format: 'der' }), 'hex').toUpperCase();
  }

  /** As `navigator.credentials.create` gives it, bytes as base64url. */
  create(page: Page, wrong: Misbehaviour & { readonly format?: string } = {}): { credentialId: string; attestationObject: string; clientDataJson: string } {
    const { x, y } = this.publicKey.export({ format: 'jwk' });
    const coordinate = (value: string | undefined): Buffer => Buffer.from(value ?? '', 'base64url');
    const cose = encode(new Map<number, number | Uint8Array>([[1, 2], [3, -7], [-1, 1], [-2, coordinate(x)], [-3, coordinate(y)]]));
    const length = Buffer.from([this.credentialId.length >> 8, this.credentialId.length & 0xff]);
    const attested = Buffer.concat([Buffer.from(this.aaguid.replaceAll('-', ''), 'hex'), length, this.credentialId, cose]);
    const authData = Buffer.concat([this.head(page, wrong, FLAGS.attested), attested]);
    const clientData = this.clientData('webauthn.create', page, wrong);
    const signature = sign('sha256', Buffer.concat([authData, hash('sha256', clientData, 'buffer')]), wrong.key ?? this.maker?.key ?? this.privateKey);
    const attStmt = wrong.format === 'none' ? {} : { alg: -7, sig: signature, ...(this.maker === undefined ? {} : { x5c: this.maker.x5c.map((der) => Buffer.from(der)) }) };
    return { credentialId: text(this.credentialId), attestationObject: text(encode({ fmt: wrong.format ?? 'packed', attStmt, authData })), clientDataJson: text(clientData) };
  }

  /** As `navigator.credentials.get` gives it. */
  get(page: Page, wrong: Misbehaviour = {}): { credentialId: string; authenticatorData: string; clientDataJson: string; signature: string } {
    this.signCount += 1;
    const authenticatorData = this.head(page, wrong, 0);
    const clientData = this.clientData('webauthn.get', page, wrong);
    const signature = sign('sha256', Buffer.concat([authenticatorData, hash('sha256', clientData, 'buffer')]), wrong.key ?? this.privateKey);
    return { credentialId: text(this.credentialId), authenticatorData: text(authenticatorData), clientDataJson: text(clientData), signature: text(signature) };
  }

  private head(page: Page, wrong: Misbehaviour, more: number): Buffer {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(wrong.signCount ?? this.signCount);
    return Buffer.concat([hash('sha256', wrong.rpId ?? page.rpId, 'buffer'), Buffer.from([(wrong.flags ?? FLAGS.present | FLAGS.verified) | more]), count]);
  }

  private clientData(type: string, page: Page, wrong: Misbehaviour): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge: wrong.challenge ?? page.challenge, origin: wrong.origin ?? page.origin, crossOrigin: wrong.crossOrigin ?? false }));
  }
}

export const AUTHENTICATOR_FLAGS = FLAGS;

/** A maker's root and the attestation certificate of a model, made by openssl. `rootFile`: PEM. */
export function makeMaker(folder: OpensslFolder, name: string, aaguid: string = MODEL): { maker: Maker; rootFile: string } {
  const run = (...args: string[]): void => {
    const { ok, text: output } = folder.run(...args);
    if (!ok) throw new Error(output);
  };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const keyFile = folder.file(`${name}-leaf.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '3650', '-subj', `/C=CN/O=${name}/CN=${name} root`);
  run('req', '-new', '-key', keyFile, '-out', `${name}.csr`, '-subj', `/C=CN/O=${name}/OU=Authenticator Attestation/CN=${name} model`);
  const extensions = folder.file(`${name}.ext`, `basicConstraints=critical,CA:FALSE\n1.3.6.1.4.1.45724.1.1.4=DER:0410${aaguid.replaceAll('-', '')}\n`);
  run('x509', '-req', '-in', `${name}.csr`, '-CA', `${name}.pem`, '-CAkey', `${name}.key`, '-CAcreateserial', '-days', '3650', '-extfile', extensions, '-outform', 'DER', '-out', `${name}-leaf.der`);
  return { maker: { key: privateKey, x5c: [folder.read(`${name}-leaf.der`)] }, rootFile: `${folder.path}/${name}.pem` };
}
