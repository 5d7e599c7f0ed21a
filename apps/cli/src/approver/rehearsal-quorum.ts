import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { POLICY_RULES } from '#libs/hsm';
import { AppError } from '#libs/platform/domain';
import { childEnvironment, writeFileAtomic } from '#libs/platform/host';
import type { Approval, HsmRequest, QuorumPolicy, SignedPolicy, Ticket } from '#libs/signature';

/** Two sign for everything, one of them a security officer; all three for a new policy. */
const APPROVERS = [
  { id: 'rehearsal-1', roles: ['securityOfficer'] },
  { id: 'rehearsal-2', roles: ['securityOfficer'] },
  { id: 'rehearsal-3', roles: ['keyOfficer'] },
] as const;
const APPROVALS = 2;
const POLICY_YEARS = 10;

export interface QuorumOptions {
  /** Keys of the approvers; each file is made and read by its own process alone. */
  readonly keysDir: string;
  /** Where the supervisor reads the policy. */
  readonly policyDir: string;
  /** dist/apps/cli/src/approver/main.js */
  readonly program: string;
}

/**
 * Three approvers for demonstration and tests, each a process with a key of its own, and the policy that they sign. They are real to
 * the supervisor: it checks their signatures as it would check anybody's. What they are not is people.
 */
export class RehearsalQuorum {
  /** Identifiers of the requests and tickets that it was asked to sign. */
  readonly signed = new Set<string>();

  private constructor(readonly approvers: readonly RehearsalApprover[]) {}

  static async start(options: QuorumOptions): Promise<RehearsalQuorum> {
    for (const folder of [options.keysDir, options.policyDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const approvers = await Promise.all(APPROVERS.map(({ id }) => RehearsalApprover.start(options.program, id, join(options.keysDir, `${id}.pem`))));
    const quorum = new RehearsalQuorum(approvers);
    const file = join(options.policyDir, '1.json');
    if (existsSync(file)) quorum.requireSameKeys(JSON.parse(readFileSync(file, 'utf8')) as SignedPolicy);
    else writeFileAtomic(file, `${JSON.stringify(await quorum.bootstrap(), null, 2)}\n`, 0o600);
    return quorum;
  }

  /** Signatures of the first `count` approvers. Throws APPROVAL_REFUSED. */
  async approve(subject: HsmRequest | Ticket, count = APPROVALS): Promise<Approval[]> {
    this.signed.add('requestId' in subject ? subject.requestId : subject.ticketId);
    return Promise.all(this.approvers.slice(0, count).map((approver) => approver.sign(subject, subject.policyVersion)));
  }

  /** Signatures of as many as the policy of this quorum wants. A new version is signed by all, for the version before it. */
  async decide(subject: HsmRequest | Ticket | QuorumPolicy): Promise<Approval[]> {
    if (subject.format !== 'hufu/hsm-policy/1') return this.approve(subject);
    return Promise.all(this.approvers.map((approver) => approver.sign(subject, subject.version - 1)));
  }

  stop(): void {
    for (const approver of this.approvers) approver.stop();
  }

  private async bootstrap(): Promise<SignedPolicy> {
    const need = { count: APPROVALS, roles: { securityOfficer: 1 } };
    const policy: QuorumPolicy = {
      format: 'hufu/hsm-policy/1',
      version: 1,
      previous: null,
      approvers: this.approvers.map(({ id, publicKey }, i) => ({
        id,
        person: `${id}-person`,
        roles: [...(APPROVERS[i] as (typeof APPROVERS)[number]).roles],
        algorithm: 'p256Sha256',
        publicKey,
        notAfter: new Date(Date.now() + POLICY_YEARS * 365 * 86_400_000).toISOString(),
      })),
      rules: Object.fromEntries(POLICY_RULES.map((rule) => [rule, need])),
      amend: { count: APPROVERS.length, roles: { securityOfficer: 2 } },
    };
    return { policy, approvals: await Promise.all(this.approvers.map((approver) => approver.sign(policy, policy.version))) };
  }

  private requireSameKeys({ policy }: SignedPolicy): void {
    const missing = this.approvers.find(({ id, publicKey }) => policy.approvers.find((approver) => approver.id === id)?.publicKey !== publicKey);
    if (missing !== undefined) throw new AppError('POLICY_INVALID', { reason: `the key of ${missing.id} is not the one that the policy names`, directory: '1.json' });
  }
}

interface Waiting {
  readonly resolve: (approval: Approval) => void;
  readonly reject: (error: AppError) => void;
}

class RehearsalApprover {
  private readonly waiting = new Map<number, Waiting>();
  private next = 1;

  private constructor(
    readonly id: string,
    readonly publicKey: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(program: string, id: string, keyFile: string): Promise<RehearsalApprover> {
    const child = spawn(process.execPath, ['--disable-sigusr1', '--max-semi-space-size=1', program, id, keyFile], { env: childEnvironment(), stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin?.on('error', () => undefined);
    const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
    const first = await new Promise<{ publicKey: string }>((resolve, reject) => {
      lines.once('line', (line) => resolve(JSON.parse(line) as { publicKey: string }));
      child.once('error', reject);
      child.once('exit', (code) => reject(new AppError('PROGRAM_ENDED', { program: id, reason: `exit ${code}`, log: '-' })));
    });
    const approver = new RehearsalApprover(id, first.publicKey, child);
    lines.on('line', (line) => approver.hear(JSON.parse(line) as { n: number; approval?: Approval; refused?: string }));
    child.once('exit', () => approver.drop());
    return approver;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  sign(subject: object, policyVersion: number): Promise<Approval> {
    const n = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(n, { resolve, reject });
      this.child.stdin?.write(`${JSON.stringify({ n, subject, policyVersion })}\n`);
    });
  }

  stop(): void {
    this.child.stdin?.end();
  }

  private hear({ n, approval, refused }: { n: number; approval?: Approval; refused?: string }): void {
    const waiting = this.waiting.get(n);
    this.waiting.delete(n);
    if (approval !== undefined) waiting?.resolve(approval);
    else waiting?.reject(new AppError('APPROVAL_REFUSED', { approver: this.id, reason: refused ?? '-' }));
  }

  private drop(): void {
    for (const { reject } of this.waiting.values()) reject(new AppError('APPROVAL_REFUSED', { approver: this.id, reason: 'the approver process ended' }));
    this.waiting.clear();
  }
}
