import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#libs/platform/domain';
import { writeFileAtomic, zodReason } from '#libs/platform/host';
import { type QuorumPolicy, requirePolicyChain, requireQuorum, SignedPolicy, subjectDigest } from '#libs/signature';

/**
 * The signed approver list and policy: `1.json`, `2.json`, … in a folder. The digest of the first is pinned in the state folder at
 * the first start; from then on only a chain that begins with it is taken. Throws POLICY_INVALID, POLICY_CHANGED.
 */
export class PolicyFolder {
  #policy: QuorumPolicy;
  readonly #pinned: string;
  readonly #latestFile: string;

  constructor(
    private readonly folder: string,
    stateDir: string,
  ) {
    const pin = join(stateDir, 'bootstrap-policy');
    this.#latestFile = join(stateDir, 'latest-policy');
    const known = existsSync(pin) ? readFileSync(pin, 'utf8').trim() : undefined;
    const chain = this.#read();
    const last = requirePolicyChain(chain, known, folder);
    this.#requireNoStepBack(chain);
    this.#pinned = known ?? subjectDigest((chain[0] as SignedPolicy).policy);
    if (known === undefined) writeFileAtomic(pin, `${this.#pinned}\n`, 0o600);
    this.#policy = this.#taken(last);
  }

  /** Digest of the first version: what this host trusts. */
  get bootstrapDigest(): string {
    return this.#pinned;
  }

  /** The policy in force; a version that was added since the last look is taken when it is signed by the one before. */
  current(): QuorumPolicy {
    if (existsSync(this.#file(this.#policy.version + 1))) {
      const chain = this.#read();
      const last = requirePolicyChain(chain, this.#pinned, this.folder);
      this.#requireNoStepBack(chain);
      this.#policy = this.#taken(last);
    }
    return this.#policy;
  }

  /** Every version, the first one first. */
  chain(): SignedPolicy[] {
    this.current();
    return this.#read();
  }

  /**
   * Takes the next version and writes it down. The one in force is the judge: enough of its approvers have signed, in time. A version
   * that is there already is taken once more without effect, since its answer may have been lost. Throws POLICY_INVALID, APPROVAL_*,
   * QUORUM_NOT_MET, DISK_FULL.
   */
  add(text: string, now: Date): void {
    const { policy, approvals } = parse(text, 'addPolicy', this.folder);
    const before = this.current();
    const known = this.#read()[policy.version - 1];
    if (known !== undefined && subjectDigest(known.policy) === subjectDigest(policy)) return;
    if (policy.version !== before.version + 1) throw new AppError('POLICY_INVALID', { reason: `version ${policy.version} does not follow version ${before.version}`, directory: this.folder });
    requireQuorum(policy, approvals, { policy: before, need: before.amend, requester: '', now });
    requirePolicyChain([...this.#read(), { policy, approvals }], this.#pinned, this.folder);
    writeFileAtomic(this.#file(policy.version), `${JSON.stringify({ policy, approvals }, null, 2)}\n`, 0o600);
    this.current();
  }

  /** Written down before it counts. */
  #taken(policy: QuorumPolicy): QuorumPolicy {
    writeFileAtomic(this.#latestFile, `${subjectDigest(policy)}\n`, 0o600);
    return policy;
  }

  /** Who takes the newest version out of the folder must not bring back the approvers or the lower quorum of an older one. */
  #requireNoStepBack(chain: readonly SignedPolicy[]): void {
    if (!existsSync(this.#latestFile)) return;
    const latest = readFileSync(this.#latestFile, 'utf8').trim();
    if (!chain.some(({ policy }) => subjectDigest(policy) === latest)) throw new AppError('POLICY_INVALID', { reason: `a version that this host has taken is missing (${latest})`, directory: this.folder });
  }

  #file(version: number): string {
    return join(this.folder, `${version}.json`);
  }

  #read(): SignedPolicy[] {
    const chain: SignedPolicy[] = [];
    for (let version = 1; existsSync(this.#file(version)); version++) chain.push(parse(readFileSync(this.#file(version), 'utf8'), this.#file(version), this.folder));
    return chain;
  }
}

function parse(text: string, file: string, directory: string): SignedPolicy {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new AppError('POLICY_INVALID', { reason: `${file}: ${(error as Error).message}`, directory }, { cause: error });
  }
  const parsed = SignedPolicy.safeParse(raw);
  if (!parsed.success) throw new AppError('POLICY_INVALID', { reason: `${file}: ${zodReason(parsed.error)}`, directory });
  return parsed.data;
}
