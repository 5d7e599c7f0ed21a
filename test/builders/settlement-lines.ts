/** A well-formed record as text, for tests that change one thing about it. Amounts add up; nothing is really signed. */
export const INPUT = {
  mdtrt_id: 'M1', setl_id: 'S1', psn_no: 'P1', psn_name: '张伟', card_no: 'A12345674', fixmedins_code: 'H11010100001', fixmedins_name: '东城区人民医院',
  term_no: '110101000001', psam_no: '0A0B', tx_type: 'settle', trans_time: '2026-03-16 09:00:00', medfee_sumamt: '100.00', fund_pay_sumamt: '60.00',
  acct_pay: '30.00', psn_cash_pay: '10.00', balc_before: '500.00', balc_after: '470.00',
} as const;

export const BOOKED = { setl_id: 'S1', card_no: 'A12345674', fixmedins_code: 'H11010100001', medfee_sumamt: '100.00' } as const;

export const HEADER = {
  infno: '2207', msgid: 'X1', fixmedins_code: 'H11010100001', cainfo: 'MAYCAQECAQI=', signtype: 'SHA256withECDSA', cert_sn: '51AA', cert_issuer: 'AB'.repeat(32),
  recv_time: '2026-03-16T09:00:01.250+08:00',
} as const;

type Texts = Readonly<Record<string, unknown>>;

/** `undefined` leaves a member out. */
export function ndjsonLine(change: { header?: Texts; input?: Texts; booked?: Texts } = {}): Buffer {
  const { header, input, booked } = change;
  return Buffer.from(JSON.stringify({ ...HEADER, ...header, booked: { ...BOOKED, ...booked }, input: { ...INPUT, ...input } }));
}

/** Columns in order; `change` by title of CSV_COLUMNS. Names stay ASCII here: GB18030 bytes are given as latin1 text. */
export function csvLine(change: Readonly<Record<string, string>> = {}): Buffer {
  const columns: Record<string, string> = {
    infno: HEADER.infno, msgid: HEADER.msgid, mdtrt_id: 'M1', setl_id: 'S1', psn_no: 'P1', psn_name: '\xd5\xc5\xce\xb0', card_no: 'A12345674',
    fixmedins_code: 'H11010100001', fixmedins_name: '\xb6\xab\xb3\xc7', term_no: '110101000001', psam_no: '0A0B', tx_type: 'settle',
    trans_time: '2026-03-16 09:00:00', medfee_sumamt: '100.00', fund_pay_sumamt: '60.00', acct_pay: '30.00', psn_cash_pay: '10.00',
    balc_before: '500.00', balc_after: '470.00', cainfo: HEADER.cainfo, signtype: HEADER.signtype, cert_sn: HEADER.cert_sn, cert_issuer: HEADER.cert_issuer,
    recv_time: HEADER.recv_time, booked_setl_id: 'S1', booked_card_no: 'A12345674', booked_fixmedins_code: 'H11010100001', booked_medfee_sumamt: '100.00',
    ...change,
  };
  return Buffer.from(Object.values(columns).join(','), 'latin1');
}
