import { AppError, type Bilingual, toHex } from '#libs/platform/host';
import { type Approval, type ApprovalTerms, approvalBytes, readApprovalSubject, requireSubjectOpen, signInBytes, signingPolicyVersion, type SubjectLine, subjectLines, termsLines } from '#libs/signature';
import type { Question, QuestionDesk } from './question.js';
import type { SignatureOrder } from './signature-order.js';
import type { UkeyDriver, UkeyKey } from './ukey-driver.js';

type SignInOrder = Extract<SignatureOrder, { kind: 'signIn' | 'enrol' }>;
type ApproveOrder = Extract<SignatureOrder, { kind: 'approve' }>;

export interface SignInAnswer {
  /** As the agent saw it: what is signed. */
  readonly origin: string;
  readonly keyDigest: string;
  readonly publicKey: string;
  readonly signature: string;
}

const TITLES: Readonly<Record<SignatureOrder['kind'], Bilingual>> = {
  signIn: { zh: '登录虎符', en: 'sign in to Hufu' },
  enrol: { zh: '登记这把 UKey', en: 'enrol this UKey' },
  approve: { zh: '审批：签名后即生效', en: 'approval: it counts once signed' },
};

const PIN_LINES: Readonly<Record<UkeyKey['pin'], readonly SubjectLine[]>> = {
  unknown: [],
  fewLeft: [{ name: { zh: '注意', en: 'beware' }, value: 'PIN 剩余次数不多 / few tries left' }],
  lastTry: [{ name: { zh: '注意', en: 'beware' }, value: 'PIN 只剩最后一次 / last try' }],
  locked: [{ name: { zh: '注意', en: 'beware' }, value: 'PIN 已锁定 / locked' }],
};

/** Makes the bytes itself, shows what they say, and signs them when the holder wants it. A page never hands in bytes to sign. */
export class Signatures {
  constructor(
    private readonly driver: UkeyDriver,
    private readonly desk: QuestionDesk,
    private readonly now: () => Date = () => new Date(),
  ) {}

  async sign(order: SignatureOrder, origin: string, signal: AbortSignal): Promise<SignInAnswer | { readonly approval: Approval }> {
    return order.kind === 'approve' ? this.approve(order, origin, signal) : this.signIn(order, origin, signal);
  }

  private async signIn({ kind, challenge, keyDigest }: SignInOrder, origin: string, signal: AbortSignal): Promise<SignInAnswer> {
    const key = await this.key(keyDigest);
    const signature = await this.signed(key, signInBytes(origin, challenge), { title: TITLES[kind], lines: asked(origin, key), confirm: false }, signal);
    return { origin, keyDigest, publicKey: toHex(key.publicKey), signature };
  }

  /** Throws SUBJECT_MALFORMED, APPROVAL_EXPIRED, APPROVAL_INVALID before anything is shown. */
  private async approve({ subject: raw, terms, keyDigest }: ApproveOrder, origin: string, signal: AbortSignal): Promise<{ approval: Approval }> {
    const subject = readApprovalSubject(raw);
    requireSubjectOpen(subject, this.now());
    if (this.now() >= new Date(terms.notAfter)) throw new AppError('APPROVAL_EXPIRED', { what: `approval of ${terms.approver}` });
    const version = signingPolicyVersion(subject);
    if (terms.policyVersion !== version) throw new AppError('APPROVAL_INVALID', { reason: `terms for policy version ${terms.policyVersion}, the subject is for ${version}` });
    const key = await this.key(keyDigest);
    const lines = [...subjectLines(subject), ...termsLines(terms), ...asked(origin, key)];
    const signature = await this.signed(key, approvalBytes(subject, terms as ApprovalTerms), { title: TITLES.approve, lines, confirm: true }, signal);
    return { approval: { ...terms, signature } };
  }

  private async signed(key: UkeyKey, bytes: Uint8Array, question: Question, signal: AbortSignal): Promise<string> {
    return this.desk.ask(question, signal, async (pin) => toHex(await this.driver.sign(key.keyDigest, bytes, pin)));
  }

  private async key(keyDigest: string): Promise<UkeyKey> {
    const key = (await this.driver.keys()).find((each) => each.keyDigest === keyDigest);
    if (key === undefined) throw new AppError('UKEY_KEY_UNKNOWN', { keyDigest });
    return key;
  }
}

function asked(origin: string, { label, tokenSerial, keyDigest, pin }: UkeyKey): SubjectLine[] {
  return [
    { name: { zh: '来源网页', en: 'asked by the page' }, value: origin },
    { name: { zh: 'UKey', en: 'serial' }, value: tokenSerial },
    { name: { zh: '密钥', en: 'key' }, value: `${label} ${keyDigest.slice(0, 16)}` },
    ...PIN_LINES[pin],
  ];
}
