import { generateKeyPairSync } from 'node:crypto';
import type { Author } from './author.js';
import { type Format, type Message, type Signer, yuan } from './messages.js';

type Make = (author: Author, format: Format) => Message;

/** What a planted line looks like, by the class it must get. The ways of one class are used in turn. */
export const FAULTS: Readonly<Record<string, readonly Make[]>> = {
  FORMAT: [
    changed((line) => line.subarray(0, Math.floor(line.length / 2))),
    changed((line) => Buffer.concat([line.subarray(0, 40), Buffer.of(0xff, 0xfe), line.subarray(40)])),
    changed((line) => Buffer.concat([line, Buffer.from('}')]), (line) => Buffer.concat([line, Buffer.from(',extra')])),
    replaced(/"medfee_sumamt":( ?)"(-?[0-9.]+)"/, '"medfee_sumamt":$1$2', /,([0-9]+\.[0-9]{2}),/, ',$10,'),
    replaced(/"setl_id":/, '"setl_id":"S1","setl_id":', /,settle,|,refund,/, ',other,'),
    replaced(/"recv_time":"[^"]+"/, '"recv_time":"2026-02-30T10:00:00.000+08:00"', /,20[0-9-]+T[0-9:.]+\+08:00,/, ',2026-02-30T10:00:00.000+08:00,'),
    replaced(/"mdtrt_id":/, '"mdtrt":', /^[^,]+,/, ','),
    replaced(/"fixmedins_code":"H/, '"fixmedins_code":"h', /,([^,]+)$/, ',"$1"'),
  ],
  NO_SIGNATURE: [
    (author) => ({ ...author.plain(), changeSignature: () => undefined }),
    (author, format) => ({ ...author.plain(), changeSignature: () => undefined, omitSignature: format === 'ndjson' }),
  ],
  ALG_NOT_ALLOWED: ['SHA1withRSA', 'MD5withRSA', 'SHA1withECDSA', 'SM3withSM2', '', 'sha256withecdsa'].map((signType): Make => (author) => ({ ...author.plain(), signType })),
  CERT_UNKNOWN: [
    (author) => ({ ...author.plain(), serial: `7${author.random.hex(16).slice(1)}` }),
    (author) => ({ ...author.plain(), issuerHash: author.random.hex(32) }),
    (author) => ({ ...author.plain(), serial: '' }),
    (author) => unknownSigner(author),
  ],
  BAD_SIGNATURE: [
    (author) => ({ ...author.plain(), changeSignature: (signature) => flipped(signature, signature.length - 5) }),
    (author) => ({ ...author.plain(), changeSigned: (signed) => digitRaised(signed) }),
    (author) => ({ ...author.plain(), signer: { ...author.pickCard('plain'), ...namesOf(author.pickHospital('plain')) } }),
    (author) => ({ ...author.plain(), changeSignature: (signature) => signature.subarray(0, -1) }),
    (author) => ({ ...author.plain(), changeSignature: (signature) => Buffer.concat([signature, Buffer.of(0)]) }),
    (author) => ({ ...author.plain(), changeSignature: () => Buffer.from('no signature') }),
  ],
  DATA_MISMATCH: [
    booked((row) => ({ ...row, medfee_sumamt: row.medfee_sumamt.startsWith('-') ? '-0.01' : `1${row.medfee_sumamt}` })),
    booked((row) => ({ ...row, setl_id: `${row.setl_id}0` })),
    booked((row) => ({ ...row, card_no: row.card_no === '' ? 'A12345674' : '' })),
    booked((row) => ({ ...row, fixmedins_code: 'H99999999999' })),
    // Well signed, but by somebody else: another card, a hospital that was not there.
    (author) => {
      const message = author.byCard(author.pickCard('plain'), author.moment());
      const others = (author.cards.get('plain') ?? []).filter((each) => each.id !== message.signer.id);
      return { ...message, signer: author.random.pick(others) };
    },
    (author) => {
      const message = author.byHospital(author.pickHospital('plain'), author.moment());
      const others = (author.hospitals.get('plain') ?? []).filter((each) => each.id !== message.signer.id);
      return { ...message, signer: author.random.pick(others) };
    },
  ],
  CHAIN_INVALID: [(author) => author.byHospital(author.random.pick(author.foreign.untrusted), author.moment())],
  CERT_EXPIRED_AT_TX: [
    (author) => author.byCard(author.pickCard('expiresAtNoon'), author.moment(author.noonMs + 1)),
    (author) => author.byCard(author.pickCard('validFromNoon'), author.moment(0, author.noonMs)),
    // Times in certificates have no fractions: at noon it is still valid, a millisecond later not.
    (author) => author.byCard(author.pickCard('expiresAtNoon'), author.noonMs + 1),
    (author) => author.byHospital(author.hospitals.has('expiresAtNoon') ? author.pickHospital('expiresAtNoon') : author.pickCard('expiresAtNoon'), author.moment(author.noonMs + 1)),
  ],
  CERT_REVOKED_AT_TX: [
    (author) => author.byCard(author.pickCard('revokedBefore'), author.moment()),
    (author) => author.byCard(author.pickCard('revokedAtNoon'), author.moment(author.noonMs)),
    (author) => author.byCard(author.pickCard('revokedAtNoon'), author.noonMs),
    (author) => (author.hospitals.has('revokedAtNoon') ? author.byHospital(author.pickHospital('revokedAtNoon'), author.moment(author.noonMs)) : author.byCard(author.pickCard('revokedBefore'), author.moment())),
  ],
  INDETERMINATE: [
    (author) => author.byHospital(author.random.pick(author.foreign.trusted), author.moment()),
    // A hospital speaks for a card that is in no register.
    (author) => {
      const message = author.byHospital(author.pickHospital('plain'), author.moment());
      message.body.card_no = message.booked.card_no = 'Z00000000';
      return message;
    },
  ],
  CARD_CANCELLED_AT_TX: [(author) => {
    const signer = author.pickCard('cancelled');
    return author.byCard(signer, author.moment(author.cancelledAt(signer)));
  }],
  AMOUNT_MISMATCH: [
    amounts((body) => ({ psn_cash_pay: raised(body.psn_cash_pay) })),
    amounts((body) => ({ balc_after: raised(body.balc_after) })),
    amounts(() => ({ tx_type: 'refund' })),
    amounts((body) => ({ acct_pay: raised(body.acct_pay), psn_cash_pay: lowered(body.psn_cash_pay) })),
  ],
  CERT_REVOKED_LATER: [
    (author) => author.byCard(author.pickCard('revokedAfter'), author.moment()),
    (author) => author.byCard(author.pickCard('revokedAtNoon'), author.moment(0, author.noonMs)),
    (author) => author.byCard(author.pickCard('revokedAtNoon'), author.noonMs - 1),
  ],
};

/** Lines that look like faults and are none: their certificates and cards were still good at the time. */
export const BORDERLINE_OK: readonly Make[] = [
  (author) => author.byCard(author.pickCard('expiresAtNoon'), author.noonMs),
  (author) => author.byCard(author.pickCard('validFromNoon'), author.noonMs),
  (author) => author.byCard(author.pickCard('expiresAtNoon'), author.moment(0, author.noonMs)),
];

function changed(ndjson: (line: Buffer) => Buffer, csv = ndjson): Make {
  return (author, format) => ({ ...author.plain(), changeLine: format === 'ndjson' ? ndjson : csv });
}

function replaced(inJson: RegExp, byJson: string, inCsv: RegExp, byCsv: string): Make {
  const replace = (line: Buffer, pattern: RegExp, by: string): Buffer => {
    const text = line.toString('latin1');
    const other = text.replace(pattern, by);
    if (other === text) throw new Error(`nothing to replace: ${String(pattern)}`);
    return Buffer.from(other, 'latin1');
  };
  return (author, format) => {
    const message = author.byCard(author.pickCard('plain'), author.moment());
    return { ...message, changeLine: (line) => (format === 'ndjson' ? replace(line, inJson, byJson) : replace(line, inCsv, byCsv)) };
  };
}

function booked(change: (row: Message['booked']) => Message['booked']): Make {
  return (author) => {
    const message = author.plain();
    return { ...message, booked: change(message.booked) };
  };
}

function amounts(change: (body: Message['body']) => Partial<Message['body']>): Make {
  return (author) => {
    let message = author.plain();
    while (message.body.tx_type === 'refund' || message.body.psn_cash_pay === '0.00') message = author.plain();
    return { ...message, body: { ...message.body, ...change(message.body) } };
  };
}

function unknownSigner(author: Author): Message {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const message = author.plain();
  return { ...message, signer: { ...message.signer, key: privateKey, signType: 'SHA256withECDSA' }, serial: `6${author.random.hex(12).slice(1)}` };
}

function namesOf(signer: Signer): Pick<Signer, 'serial' | 'issuerHash'> {
  return { serial: signer.serial, issuerHash: signer.issuerHash };
}

function flipped(bytes: Buffer, at: number): Buffer {
  const other = Buffer.from(bytes);
  other[at] = (other[at] as number) ^ 0x10;
  return other;
}

/** Raises one digit of an amount in the signed bytes: still a good message, but not the one that was signed. */
function digitRaised(signed: Buffer): Buffer {
  const other = Buffer.from(signed);
  const at = other.lastIndexOf('.');
  const digit = other[at + 1] as number;
  other[at + 1] = digit === 0x39 ? 0x30 : digit + 1;
  return other;
}

function raised(text: string): string {
  return yuan(fen(text) + 1);
}

function lowered(text: string): string {
  return yuan(fen(text) - 1);
}

function fen(text: string): number {
  return Number(text.replace('.', ''));
}
