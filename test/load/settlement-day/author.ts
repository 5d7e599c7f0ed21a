import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Body, Message, Signer } from './messages.js';
import { chinaTime, yuan } from './messages.js';
import { atHour, type ForeignMaterial, type IssuedLine, type Plan, type PlannedRequest, type PrivateKeyLine, type Role } from './plan.js';
import type { Random } from './random.js';
import { readPrivateKey } from './subjects.js';
import { certificateNames } from './x509.js';

const SURNAMES = [...'王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗'];
const GIVEN = ['伟', '芳', '娜', '敏', '静', '丽', '强', '磊', '军', '洋', '秀英', '建国', '志强', '晓明', '玉兰', '𠮷'];

/** Everybody who signs, by what became of their certificates and cards, and a way to write plain messages of theirs. */
export class Author {
  readonly plan: Plan;
  /** Signers of cards and of institutions, by role. */
  readonly cards = new Map<Role, Signer[]>();
  readonly hospitals = new Map<Role, Signer[]>();
  readonly foreign: { readonly trusted: Signer[]; readonly untrusted: Signer[] };
  /** Holder (card number, institution code) of a signer's id. */
  readonly holderOf = new Map<string, string>();
  private readonly revokedMs = new Map<string, number>();
  private readonly cancelledMs = new Map<string, number>();
  private readonly terminals: ReadonlyMap<string, string>;
  private serialNumber = 0;

  constructor(
    folder: string,
    readonly random: Random,
  ) {
    const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const lines = <T>(name: string): T[] => text(name).split('\n').slice(0, -1).map((line) => JSON.parse(line) as T);
    this.plan = JSON.parse(text('plan.json')) as Plan;
    const keys = new Map(lines<PrivateKeyLine>('private-keys.ndjson').map((line) => [line.id, line]));
    const issued = new Map(lines<IssuedLine>('issued.ndjson').map((line) => [line.id, line.certificate]));
    const signer = (id: string, certificate: string | undefined): Signer => {
      const key = keys.get(id);
      if (key === undefined || certificate === undefined) throw new Error(`no key or no certificate for ${id}`);
      const privateKey = readPrivateKey(key);
      const signType = privateKey.asymmetricKeyType === 'rsa' ? 'SHA256withRSA' : 'SHA256withECDSA';
      return { id, key: privateKey, signType, ...certificateNames(Buffer.from(certificate, 'base64')) };
    };
    for (const request of lines<PlannedRequest>('requests.ndjson')) {
      const pool = { card: this.cards, hospital: this.hospitals, terminal: undefined }[request.profile];
      if (pool === undefined) continue;
      this.holderOf.set(request.id, request.holder.id);
      pool.set(request.role, [...(pool.get(request.role) ?? []), signer(request.id, issued.get(request.id))]);
    }
    const foreign = JSON.parse(text('foreign.json')) as ForeignMaterial;
    const others = (kind: 'trusted' | 'untrusted'): Signer[] => foreign[kind].certificates.map((each, i) => signer(`foreign-${kind}-${i}`, each));
    this.foreign = { trusted: others('trusted'), untrusted: others('untrusted') };
    for (const { id, effectiveAt } of this.plan.revocations) this.revokedMs.set(id, Date.parse(effectiveAt));
    for (const { cardNumber, effectiveAt } of this.plan.cancellations) this.cancelledMs.set(cardNumber, Date.parse(effectiveAt));
    this.terminals = new Map(this.plan.terminals.map(({ number, institutionCode }) => [institutionCode, number]));
  }

  get noonMs(): number {
    return atHour(this.plan.day, 12);
  }

  revokedAt(signer: Signer): number {
    return this.revokedMs.get(signer.id) ?? Infinity;
  }

  cancelledAt(signer: Signer): number {
    return this.cancelledMs.get(this.holderOf.get(signer.id) ?? '') ?? Infinity;
  }

  /** A moment of the working day, 07:00–21:00, between two instants. */
  moment(fromMs = 0, untilMs = Infinity): number {
    const from = Math.max(fromMs, atHour(this.plan.day, 7));
    const until = Math.min(untilMs, atHour(this.plan.day, 21));
    return from + this.random.below(until - from);
  }

  /** Four fifths by cards, one fifth by institutions, all of them with nothing to their names. */
  plain(receivedMs = this.moment()): Message {
    return this.random.below(5) > 0 ? this.byCard(this.pickCard('plain'), receivedMs) : this.byHospital(this.pickHospital('plain'), receivedMs);
  }

  pickCard(role: Role): Signer {
    return this.random.pick(this.cards.get(role) ?? []);
  }

  pickHospital(role: Role): Signer {
    return this.random.pick(this.hospitals.get(role) ?? []);
  }

  byCard(signer: Signer, receivedMs: number): Message {
    return this.message(signer, receivedMs, this.random.pick(this.plan.institutions), this.holderOf.get(signer.id) ?? '');
  }

  byHospital(signer: Signer, receivedMs: number): Message {
    const code = this.holderOf.get(signer.id);
    const institution = this.plan.institutions.find((each) => each.code === code) ?? this.random.pick(this.plan.institutions);
    return this.message(signer, receivedMs, institution, '');
  }

  private message(signer: Signer, receivedMs: number, institution: Plan['institutions'][number], cardNo: string): Message {
    const { random } = this;
    const number = String(++this.serialNumber).padStart(9, '0');
    const day = this.plan.day.replaceAll('-', '');
    const body: Body = {
      mdtrt_id: `M${day}${number}`,
      setl_id: `S${day}${number}`,
      psn_no: `1101${random.digits(12)}`,
      psn_name: random.pick(SURNAMES) + random.pick(GIVEN),
      card_no: cardNo,
      fixmedins_code: institution.code,
      fixmedins_name: institution.name,
      term_no: this.terminals.get(institution.code) ?? '',
      psam_no: cardNo === '' ? '' : random.hex(6),
      tx_type: 'settle',
      trans_time: chinaTime(receivedMs - random.between(300, 90_000)).slice(0, 19).replace('T', ' '),
      ...this.amounts(random),
    };
    if (random.below(50) === 0) refund(body);
    const { setl_id, card_no, fixmedins_code, medfee_sumamt } = body;
    return { body, booked: { setl_id, card_no, fixmedins_code, medfee_sumamt }, signer, receivedMs, msgid: `${institution.code}${day}${number}` };
  }

  private amounts(random: Random): Pick<Body, 'medfee_sumamt' | 'fund_pay_sumamt' | 'acct_pay' | 'psn_cash_pay' | 'balc_before' | 'balc_after'> {
    const total = random.between(100, 500_000);
    const fund = random.below(total + 1);
    const account = random.below(total - fund + 1);
    const before = account + random.between(0, 1_000_000);
    return {
      medfee_sumamt: yuan(total),
      fund_pay_sumamt: yuan(fund),
      acct_pay: yuan(account),
      psn_cash_pay: yuan(total - fund - account),
      balc_before: yuan(before),
      balc_after: yuan(before - account),
    };
  }
}

/** The same amounts the other way round. */
function refund(body: Body): void {
  const minus = (text: string): string => (text === '0.00' ? text : `-${text}`);
  const { balc_before, balc_after } = body;
  Object.assign(body, {
    tx_type: 'refund',
    medfee_sumamt: minus(body.medfee_sumamt),
    fund_pay_sumamt: minus(body.fund_pay_sumamt),
    acct_pay: minus(body.acct_pay),
    psn_cash_pay: minus(body.psn_cash_pay),
    balc_before: balc_after,
    balc_after: balc_before,
  });
}
