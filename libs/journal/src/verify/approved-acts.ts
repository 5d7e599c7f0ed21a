import { z } from 'zod';
import { isAppError } from '#libs/platform/domain';
import { Approval, HsmRequest, QuorumPolicy, requireApproved, requirePolicyChain, requireQuorum, requireTicketApproved, SignedPolicy, subjectDigest, Ticket } from '#libs/signature';

const Subject = z.discriminatedUnion('format', [HsmRequest, Ticket, QuorumPolicy]);
type Subject = z.infer<typeof Subject>;

/** Entries of the desk on which people approve, as far as a stranger needs them; their subject is the digest of what is approved. */
const DESK = {
  'approvals.policy': z.object({ signed: SignedPolicy }),
  'approvals.request': z.object({ subject: Subject, rule: z.string() }),
  'approvals.approve': z.object({ approval: Approval }),
  'approvals.outcome': z.object({ outcome: z.string() }),
} as const;

/** Acts of the key room → recipes under which a quorum must have approved them; their subject is the key. */
const ACTS: Readonly<Record<string, readonly string[]>> = {
  'keys.generate': ['generateKey', 'generateKeyPair', 'importTestTransportKey'],
  'keys.copy': ['transfer', 'importTestTransportKey'],
};

interface Asked {
  readonly subject: Subject;
  readonly rule: string;
  readonly approvals: Approval[];
}

/** A body of the journal, parsed. */
const Body = z.object({ kind: z.string(), subject: z.string(), at: z.iso.datetime({ precision: 3 }), data: z.unknown() });
type Body = z.infer<typeof Body>;

/** What cannot stand, in words. */
class ActRefused extends Error {}

/**
 * Judges once more, from the log alone, what the desk and the HSM supervisor have judged: that whatever is called approved was signed by
 * the quorum of the policy then in force, and that no key was made or copied without it. A log without a policy says nothing of either.
 * Memory: what waits at one time, the policies, and the keys that were approved.
 */
export class ApprovedActs {
  private readonly chain: SignedPolicy[] = [];
  private readonly asked = new Map<string, Asked>();
  /** `recipe keyId`. */
  private readonly approvedKeys = new Set<string>();
  private approvedCount = 0;

  /** Requests, tickets and policies whose approvals hold. */
  get count(): number {
    return this.approvedCount;
  }

  /** SHA-256 of the first policy: to be compared with the paper that the first approvers have signed. */
  get firstPolicy(): string | undefined {
    const [first] = this.chain;
    return first === undefined ? undefined : subjectDigest(first.policy);
  }

  static reads(kind: string | undefined): boolean {
    return kind !== undefined && (Object.hasOwn(DESK, kind) || Object.hasOwn(ACTS, kind));
  }

  /** Why the entry cannot stand; undefined when it can. `body`: canonical JSON. */
  fault(body: Uint8Array): string | undefined {
    try {
      this.take(Body.parse(JSON.parse(Buffer.from(body).toString('utf8'))));
      return undefined;
    } catch (error) {
      if (isAppError(error) || error instanceof ActRefused) return error.message;
      if (error instanceof z.ZodError || error instanceof SyntaxError) return 'it does not parse';
      throw error;
    }
  }

  private take({ kind, subject, at, data }: Body): void {
    switch (kind) {
      case 'approvals.policy': return this.policy(DESK[kind].parse(data).signed);
      case 'approvals.request': return void this.asked.set(subject, { ...DESK[kind].parse(data), approvals: [] });
      case 'approvals.approve': return this.approval(subject, DESK[kind].parse(data).approval);
      case 'approvals.outcome': return this.outcome(subject, DESK[kind].parse(data).outcome, new Date(at));
      default: return this.act(kind, subject);
    }
  }

  /** The same version is named again by each process that begins to use it; another one under its number breaks the chain. */
  private policy(signed: SignedPolicy): void {
    const before = this.chain.slice(0, signed.policy.version - 1);
    requirePolicyChain([...before, signed], undefined);
    const known = this.chain[signed.policy.version - 1];
    if (known === undefined) this.chain.push(signed);
    else if (subjectDigest(known.policy) !== subjectDigest(signed.policy)) throw new ActRefused(`another policy of version ${signed.policy.version}`);
  }

  private approval(digest: string, approval: Approval): void {
    this.asked.get(digest)?.approvals.push(approval);
  }

  private outcome(digest: string, outcome: string, at: Date): void {
    const asked = this.asked.get(digest);
    this.asked.delete(digest);
    if (outcome !== 'approved') return;
    if (asked === undefined || subjectDigest(asked.subject) !== digest) throw new ActRefused('approved, and not what was asked');
    this.requireSigned(asked, at);
    this.approvedCount++;
    const { subject } = asked;
    if (subject.format === 'hufu/request/1') for (const keyId of subject.keys) this.approvedKeys.add(`${subject.recipe} ${keyId}`);
  }

  private requireSigned({ subject, rule, approvals: given }: Asked, now: Date): void {
    const version = subject.format === 'hufu/hsm-policy/1' ? subject.version - 1 : subject.policyVersion;
    const policy = this.chain[version - 1]?.policy;
    const need = subject.format === 'hufu/hsm-policy/1' ? policy?.amend : policy?.rules[rule];
    if (policy === undefined || need === undefined) throw new ActRefused(`policy version ${version} has no rule ${rule} in this log`);
    const rules = { policy, need, now };
    // One that ran out while the others were awaited counts for nothing.
    const approvals = given.filter(({ notAfter }) => now < new Date(notAfter));
    if (subject.format === 'hufu/request/1') requireApproved(subject, approvals, { ...rules, requester: subject.requester });
    else if (subject.format === 'hufu/ticket/1') requireTicketApproved(subject, approvals, { ...rules, requester: subject.line });
    else requireQuorum(subject, approvals, { ...rules, requester: '' });
  }

  private act(kind: string, keyId: string): void {
    if (this.chain.length === 0 || ACTS[kind]?.some((recipe) => this.approvedKeys.has(`${recipe} ${keyId}`)) === true) return;
    throw new ActRefused(`nobody has approved it for key ${keyId}`);
  }
}
