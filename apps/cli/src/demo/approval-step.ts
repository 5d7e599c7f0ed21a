import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { AskingAuthoriser, type Authoriser, SupervisorHsm } from '#libs/hsm';
import { fromHex, isAppError, toHex } from '#libs/platform/domain';
import { type SignedPolicy, subjectDigest } from '#libs/signature';
import { SOCKETS } from '../setup-config.js';
import type { StateFolder } from '../state-folder.js';
import { type Demo, DIVERSIFICATION, GENERAL } from './context.js';
import { CARD_FACTOR, REGION_FACTOR, type RootIds } from './key-step.js';

/** Logs of the supervisor: what it released, each line begins with the identifier of its request or ticket. */
const RELEASED = ['used-requests.log', 'tickets.log'] as const;

/** Requests and tickets that the supervisor has ever released. */
export function releasedIds(state: StateFolder): Set<string> {
  const files = RELEASED.map((name) => state.file('hsm', 'state', name)).filter((file) => existsSync(file));
  return new Set(files.flatMap((file) => readFileSync(file, 'utf8').split('\n').flatMap((line) => line.split(' ').slice(0, 1)).filter((id) => id !== '')));
}

/**
 * The approvals by attack, through the supervisor's own socket as any program with the right to open it could: too few, used twice,
 * spent. What is refused changes nothing; what is released was signed.
 */
export async function approvalStep(demo: Demo, roots: RootIds): Promise<void> {
  await demo.rig.beforeApprovals?.(demo);
  const { checks, state, quorum } = demo;
  const { policy } = JSON.parse(readFileSync(state.file('hsm', 'policy', '1.json'), 'utf8')) as SignedPolicy;
  checks.add('approvals.bootstrap', subjectDigest(policy), readFileSync(state.file('hsm', 'state', 'bootstrap-policy'), 'utf8').trim(), 'SHA-256 of the canonical policy (RFC 8785), pinned by the supervisor');

  checks.add('approvals.none', 'APPROVAL_REQUIRED', await outcome(demo, undefined, makeKey), 'a key made without approvals');
  checks.add('approvals.one', 'QUORUM_NOT_MET', await outcome(demo, asking(demo, 1), makeKey), 'a key made with one approval of two');
  checks.add('approvals.replayed', 'REQUEST_REPLAYED', await outcome(demo, holding(demo), makeKeyTwice), 'the same approved request a second time');
  const purchase = roots['purchase'] ?? '';
  checks.add('approvals.spent', 'TICKET_SPENT', await outcome(demo, holding(demo), (hsm) => twoMacs(hsm, purchase)), 'a ticket for one operation used for a second one');

  const released = [...releasedIds(state)].filter((id) => !demo.releasedBefore.has(id));
  const signed = released.filter((id) => quorum.signed.has(id));
  checks.add('approvals.released', released.length === 0 ? 'more than 0' : released.length, signed.length, 'requests and tickets in the log of the supervisor, of them signed by the quorum');
  demo.say(`审批 ${signed.length} 项，均由法定人数签名`, `${signed.length} requests and tickets, all signed by the quorum`);
  await demo.rig.afterApprovals?.(demo);
}

/** What became of it: `done`, the error's code, or whatever else was said. */
async function outcome(demo: Demo, authoriser: Authoriser | undefined, act: (hsm: SupervisorHsm) => Promise<void>): Promise<string> {
  const hsm = new SupervisorHsm(SOCKETS.hsm(demo.state, 'service'), { deadlineSeconds: 30, authoriser });
  try {
    await act(hsm);
    return 'done';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  } finally {
    hsm.close();
  }
}

/** As the service asks, with a ticket for one operation; `count` approvers sign. */
function asking(demo: Demo, count?: number): AskingAuthoriser {
  return new AskingAuthoriser({ client: 'service', ticketCount: 1, ticketHours: 1, requestMinutes: 5 }, (subject) => demo.quorum.approve(subject, count));
}

/** Brings what it got once again and again, as somebody would who has seen it pass. */
function holding(demo: Demo): Authoriser {
  const first = asking(demo);
  let held: ReturnType<Authoriser['authorise']> | undefined;
  return {
    known: () => undefined,
    authorise: (need) => (held ??= first.authorise(need)),
    forget: () => undefined,
  };
}

const attempt = (keyId: string) => ({ keyId, label: `demo-attempt/${keyId.slice(0, 8)}`, keyClass: 'dataRoot', algorithm: '3des2' }) as const;

async function makeKey(hsm: SupervisorHsm): Promise<void> {
  await hsm.generateKey(GENERAL, attempt(toHex(randomBytes(16))));
}

/** The key of the first request is undone again: its maker may. */
async function makeKeyTwice(hsm: SupervisorHsm): Promise<void> {
  const key = attempt(toHex(randomBytes(16)));
  await hsm.generateKey(GENERAL, key);
  await hsm.destroy(GENERAL, key.keyId);
  await hsm.generateKey(GENERAL, key);
}

async function twoMacs(hsm: SupervisorHsm, keyId: string): Promise<void> {
  const mac = { key: { keyId, factors: [fromHex(REGION_FACTOR), fromHex(CARD_FACTOR)] }, sessionInput: new Uint8Array(8).fill(1), data: new Uint8Array(16).fill(2) };
  for (let n = 0; n < 2; n++) await hsm.purchaseMacs(DIVERSIFICATION, [mac]);
}
