import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { writeFileAtomic } from '#libs/platform/host';
import { toHex } from '#libs/platform/domain';
import { approvalBytes, HsmRequest, type PlainApproval, QuorumPolicy, Ticket } from '#libs/signature';

/**
 * A rehearsal approver: one process, one key, which nobody else reads. It takes subjects as JSON lines on stdin, looks whether they
 * are well-formed and not over, and signs. A person would read them first; this one stands in for a person in demonstration and tests.
 *
 *   main.js ID KEY_FILE     first line out: {id, publicKey}; then per line in {n, subject, policyVersion}: {n, approval} or {n, refused}
 */
const APPROVAL_MINUTES = 15;
const [id = '', keyFile = ''] = process.argv.slice(2);

if (!existsSync(keyFile)) writeFileAtomic(keyFile, generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o400);
const privateKey = createPrivateKey(readFileSync(keyFile));
const publicKey = toHex(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }));
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const SUBJECTS = [HsmRequest, Ticket, QuorumPolicy] as const;

function answer(line: string): object {
  const { n, subject, policyVersion } = JSON.parse(line) as { n: number; subject: unknown; policyVersion: number };
  const known = SUBJECTS.map((schema) => schema.safeParse(subject)).find(({ success }) => success)?.data;
  if (known === undefined) return { n, refused: 'not a request, ticket or policy' };
  if ('notAfter' in known && new Date(known.notAfter) <= new Date()) return { n, refused: 'expired' };
  const approval: Omit<PlainApproval, 'signature'> = {
    method: 'plain',
    approver: id,
    nonce: toHex(randomBytes(16)),
    policyVersion,
    notAfter: new Date(Date.now() + APPROVAL_MINUTES * 60_000).toISOString(),
    decision: 'approve',
  };
  return { n, approval: { ...approval, signature: toHex(sign('sha256', approvalBytes(known, approval), privateKey)) } };
}

process.on('SIGINT', () => undefined);
createInterface({ input: process.stdin }).on('line', (line) => say(answer(line))).on('close', () => process.exit(0));
say({ id, publicKey });
