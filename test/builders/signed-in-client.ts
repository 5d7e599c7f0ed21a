import { generateKeyPairSync, hash, type JsonWebKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { HttpApp } from '../../apps/service/src/http/adapter.js';
import type { Misbehaviour, SoftAuthenticator } from './authenticator.js';

type Verb = 'GET' | 'POST' | 'DELETE';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly cookie: string | undefined;
}

/** What a proof says otherwise than it should. */
export interface WrongProof {
  readonly htm?: string;
  readonly htu?: string;
  readonly iat?: number;
  readonly ath?: string;
  readonly jti?: string;
  readonly typ?: string;
  readonly key?: { readonly privateKey: KeyObject; readonly jwk: JsonWebKey };
  readonly signer?: KeyObject;
}

export interface Place {
  readonly origin: string;
  readonly rpId: string;
  /** Address that requests come from. */
  readonly source: string;
  readonly now: () => Date;
  /** Headers that stand for the connection. */
  readonly headers?: Readonly<Record<string, string>>;
}

const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function proofKeyPair(): { privateKey: KeyObject; jwk: JsonWebKey } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const { kty = '', crv = '', x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return { privateKey, jwk: { kty, crv, x, y } };
}

/** What a browser does: a key of its own, a cookie, and a proof beside every request (RFC 9449). */
export class SignedInClient {
  readonly key = proofKeyPair();
  cookie: string | undefined;
  private tokenDigest: string | undefined;

  constructor(
    private readonly app: HttpApp,
    readonly place: Place,
  ) {}

  /** Another browser at the same place, with nothing but the cookie. */
  thief(app: HttpApp = this.app): SignedInClient {
    const other = new SignedInClient(app, this.place);
    other.cookie = this.cookie;
    other.tokenDigest = this.tokenDigest;
    return other;
  }

  proof(method: Verb, path: string, wrong: WrongProof = {}): string {
    const { privateKey, jwk } = wrong.key ?? this.key;
    const ath = wrong.ath ?? this.tokenDigest;
    const claims = {
      jti: wrong.jti ?? randomUUID(),
      htm: wrong.htm ?? method,
      htu: wrong.htu ?? `${this.place.origin}${path}`,
      iat: wrong.iat ?? Math.floor(this.place.now().getTime() / 1000),
      ...(ath === undefined ? {} : { ath }),
    };
    const signed = `${json({ typ: wrong.typ ?? 'dpop+jwt', alg: 'ES256', jwk })}.${json(claims)}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), { key: wrong.signer ?? privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  }

  /** `proof`: a header to send; null = none; else one is made. */
  async send(method: Verb, path: string, payload?: object, proof: string | null | WrongProof = {}): Promise<Answer> {
    const made = typeof proof === 'string' || proof === null ? proof : this.proof(method, path.split('?')[0] ?? '', proof);
    const response = await this.app.inject({
      method,
      url: path,
      remoteAddress: this.place.source,
      headers: { ...this.place.headers, ...(made === null ? {} : { dpop: made }), ...(this.cookie === undefined ? {} : { cookie: `__Host-hufu-session=${this.cookie}` }) },
      ...(payload === undefined ? {} : { payload }),
    });
    const set = response.headers['set-cookie'];
    const text = response.body;
    return { status: response.statusCode, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>), cookie: typeof set === 'string' ? set : undefined };
  }

  async challenge(operatorId: string, method: 'webauthn' | 'ukey', purpose: 'signIn' | 'stepUp' = 'signIn'): Promise<{ challengeId: string; challenge: string; rpId: string; credentialIds: string[] }> {
    const { status, body } = await this.send('POST', '/sign-in/challenges', { operatorId, method, purpose }, null);
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body as never;
  }

  /** The page's part of signing in by an authenticator; the session is this client's from then on. */
  async signIn(operatorId: string, authenticator: SoftAuthenticator, wrong: Misbehaviour = {}): Promise<Answer> {
    const asked = await this.challenge(operatorId, 'webauthn');
    return this.openSession({ challengeId: asked.challengeId, webauthn: authenticator.get({ ...asked, origin: this.place.origin }, wrong) });
  }

  async openSession(possession: object, path = '/sign-in/sessions', proof: null | WrongProof = {}): Promise<Answer> {
    const answer = await this.send('POST', path, { ...possession, proofKey: this.key.jwk }, proof);
    const token = /^__Host-hufu-session=([^;]+)/.exec(answer.cookie ?? '')?.[1];
    if (token !== undefined) {
      this.cookie = token;
      this.tokenDigest = hash('sha256', token, 'base64url');
    }
    return answer;
  }

  async stepUp(operatorId: string, authenticator: SoftAuthenticator): Promise<Answer> {
    const asked = await this.challenge(operatorId, 'webauthn', 'stepUp');
    return this.send('POST', '/sign-in/proofs', { challengeId: asked.challengeId, webauthn: authenticator.get({ ...asked, origin: this.place.origin }) });
  }
}
