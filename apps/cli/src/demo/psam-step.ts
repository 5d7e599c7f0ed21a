import { CardProcess } from './card-process.js';
import { type Demo, DIVERSIFICATION } from './context.js';
import type { RootIds } from './key-step.js';
import { REGIONS } from './regions.js';

const CARDS = 20;
const REGION = '110000';

interface ShownResult {
  readonly state: 'good' | 'quarantined';
  readonly proofs: readonly { readonly name: string; readonly expected: string; readonly actual: string; readonly ok: boolean }[];
  readonly failure?: { readonly code: string };
}

interface ShownStock {
  readonly received: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** What every finished card must show, and where that rule stands. Names are the proofs' own. */
const PROOFS = {
  'key.cardControl': 'EXTERNAL AUTHENTICATE, E3(key, challenge) from the token',
  'key.applicationControl': 'EXTERNAL AUTHENTICATE, E3(key, challenge) from the token',
  'key.applicationMaintenance': 'secure messaging MAC from the token',
  'key.data': 'INIT_FOR_DESCRYPT and DES CRYPT of zeros = check value from the token',
  'key.purchase.mac1.1': 'INIT_SAM_FOR_PURCHASE: MAC1 = MAC1 from the token',
  'refuses.wrongMac': 'SW 6988 (PBOC 2.0 PSAM)',
  'refuses.oldChallenge': 'SW 6984 (PBOC 2.0 PSAM)',
  'refuses.plainWriteKey': 'SW 6982 or 6985 after END ISSUE (PBOC 2.0 PSAM)',
  'file.0016': 'terminal number as ordered, read back from the card',
} as const;

/** Twenty blanks become twenty working PSAMs; each then proves its keys by function against the token. */
export async function psamStep(demo: Demo, roots: RootIds): Promise<void> {
  const { client, series } = demo;
  await demo.rig.beforePsam?.(demo);
  const tag = String(series).padStart(3, '0');
  const place = { code: `P${REGION}SS${tag}`, name: '社会保障卡服务网点', region: REGION };
  const terminalNumbers = Array.from({ length: CARDS }, (_, i) => `${REGION}${tag}${String(900 + i)}`);
  const chipSerials = Array.from({ length: CARDS }, (_, i) => `C0DE${series.toString(16).padStart(8, '0')}${(i + 1).toString(16).padStart(4, '0')}`.toUpperCase());
  const [vendorCode, lotNo, orderNo] = [`demo-vendor-${series}`, `demo-lot-${series}`, `demo-order-${series}`];
  await client.call('organisations.register', { regions: REGIONS, institutions: [place], terminals: terminalNumbers.map((number) => ({ number, institutionCode: place.code })) });
  await client.call('psam.registerVendor', { code: vendorCode, name: '备案厂商（演示）', filingNumber: `DEMO-${series}`, filedFrom: '2020-01-01', filedTo: '2099-12-31', cardModel: 'virtual PSAM' });
  await client.call('psam.receiveLot', { lotNo, vendorCode, chipSerials });
  const keySet = {
    transportRoot: roots['psam-transport'],
    controlRoot: roots['psam-control'],
    maintenanceRoot: roots['psam-maintenance'],
    purchaseRoot: roots['purchase'],
    dataRoot: roots['data'],
  };
  await client.call('psam.placeOrder', {
    orderNo, lotNo, region: REGION, institutionCode: place.code, count: CARDS, terminalNumbers, keySet, device: DIVERSIFICATION, validFrom: '2026-01-01', validTo: '2036-12-31',
  });

  const results: ShownResult[] = [];
  const progress = demo.progress('灌装并检验 PSAM 卡', 'PSAM cards personalised and proven');
  for (const [index, chipSerial] of chipSerials.entries()) {
    const card = await CardProcess.insert({ checkout: demo.checkout, folder: demo.cardFolder, chipSerial, fault: demo.rig.cardFault?.(index + 1) });
    try {
      results.push(await client.call<ShownResult>('psam.personalise', { orderNo, socket: card.socket }));
    } finally {
      await card.remove();
    }
    progress(index + 1, CARDS);
  }
  await demo.rig.afterPsam?.(demo);
  await check(demo, results, lotNo);
}

async function check(demo: Demo, results: readonly ShownResult[], lotNo: string): Promise<void> {
  const { checks } = demo;
  checks.add('psam.good', CARDS, results.filter((result) => result.state === 'good').length, 'cards ordered');
  for (const [name, source] of Object.entries(PROOFS)) {
    const proofs = results.map((result) => result.proofs.find((proof) => proof.name === name));
    const passed = proofs.filter((proof) => proof?.ok === true).length;
    const wrong = proofs.find((proof) => proof?.ok !== true);
    const detail = wrong === undefined ? '' : ` (${wrong.actual}, not ${wrong.expected})`;
    checks.add(`psam.${name}`, `${CARDS} of ${CARDS}`, `${passed} of ${CARDS}${detail}`, source);
  }
  const stock = await demo.client.call<ShownStock>('psam.stock', { lotNo });
  const accounted = Object.values(stock.counts).reduce((sum, count) => sum + count, 0);
  checks.add('psam.conservation', `received ${CARDS}, accounted ${CARDS}, in work 0`, `received ${stock.received}, accounted ${accounted}, in work ${stock.counts['inWork'] ?? 0}`, 'received = blank + inWork + good + scrapped + quarantined + returned + lost');
}
