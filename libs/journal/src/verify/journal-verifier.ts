import { hash } from 'node:crypto';
import { type Checkpoint, equalBytes, readCheckpoint, toHex } from '#libs/platform/domain';
import { SignatureVerifier } from '#libs/signature';
import { LOG_KEY_KIND, type LogKeyNamed, readLogKey, SIGNATURE_ALGORITHMS } from '../domain/log-key.js';
import { MerkleRoot } from '../domain/merkle.js';
import { readRetirement, RETIRE_KIND } from '../domain/retirement.js';
import { ApprovedActs } from './approved-acts.js';
import { type Fault, FaultFound, type FaultKind } from './fault.js';
import { decodeEntry, decodeStaged, type EntryRecord, type ExportRecord, readEnd, readSignedHead, RECORDS, type SignedHead } from './record.js';

/** A head that someone outside the database has. `source` names file and line, for the one who has to ask there. */
export interface AnchoredHead extends SignedHead {
  readonly source: string;
}

export interface VerifiedJournal {
  readonly entries: number;
  readonly checkpoints: number;
  /** Staged rows that have no place yet. */
  readonly waiting: number;
  /** Recorded first among them. */
  readonly oldestWaiting: Date | undefined;
  /** The last good checkpoint. */
  readonly head: Checkpoint | undefined;
  /** Anchored heads that were found in the log. */
  readonly anchored: number;
  /** Requests, tickets and policies that a quorum has approved, all judged again. */
  readonly approved: number;
  /** SHA-256 of the first policy that the log names. */
  readonly firstPolicy: string | undefined;
  /** Entries whose bodies were retired after their time: their digests stand for them. */
  readonly retired: number;
  /** The first thing that is wrong; undefined when the whole log holds. */
  readonly fault: Fault | undefined;
}

interface TrustedKey {
  readonly spki: Uint8Array;
  readonly named: LogKeyNamed | undefined;
}

/**
 * Verifies an export, fed record by record: hashes every body into both trees, compares with every checkpoint, follows the log keys
 * from `publicKey` (the key of the first shard, SubjectPublicKeyInfo in DER) on, wants every entry that a row of the state
 * names, and every head that is anchored. Its memory grows with the rows of the state and the anchors, not with the log.
 */
export class JournalVerifier {
  private readonly signatures = new SignatureVerifier(16);
  private readonly needed = new Map<string, string>();
  private readonly anchors = new Map<string, AnchoredHead>();
  private readonly keys: LogKeyNamed[] = [];
  private readonly acts = new ApprovedActs();
  private trusted: TrustedKey;
  private table = '';
  private shard = 0;
  private sha256 = new MerkleRoot('sha256');
  private sm3 = new MerkleRoot('sm3');
  private checkpointed = 0;
  private head: Checkpoint | undefined;
  /** A log key entry since the last checkpoint: its key takes over with the next one. */
  private taking: LogKeyNamed | undefined;
  /** The one that is leaf 0. */
  private openedBy: LogKeyNamed | undefined;
  /** The entry before this one in its batch, and the first that does not follow its predecessor. */
  private before: { xid: bigint; id: Buffer } | undefined;
  private unordered: number | undefined;
  private readonly counts = { entries: 0, checkpoints: 0, staged: 0, retired: 0 };
  /** Shard → its first entry without a body; and the shards of which an entry says that it may be so. */
  private readonly withoutBodies = new Map<number, string>();
  private readonly retirements = new Set<number>();
  private anchored = 0;
  private oldestWaiting: Date | undefined;
  private ended = false;
  private fault: Fault | undefined;

  constructor({ publicKey, anchors = [] }: { publicKey: Uint8Array; anchors?: readonly AnchoredHead[] }) {
    this.trusted = { spki: publicKey, named: undefined };
    for (const each of anchors) this.addAnchor(each);
  }

  /** Takes the next record; false when a fault was found and nothing more needs to be read. */
  push({ type, payload }: ExportRecord): boolean {
    return this.caught(() => {
      if (this.ended) fail('malformed', 'the export', 'records after its end');
      switch (type) {
        case RECORDS.entry: return this.entry(decodeEntry(payload));
        case RECORDS.checkpoint: return this.checkpoint(payload.toString('utf8'));
        case RECORDS.needed: return this.need(payload);
        case RECORDS.table: this.table = payload.toString('utf8'); return;
        case RECORDS.bodyless: return this.bodyless(decodeEntry(payload));
        case RECORDS.staged: return this.staged(payload);
        case RECORDS.end: return this.end(payload);
        case RECORDS.header: return;
        default: return fail('malformed', 'the export', `a record of type ${type}`);
      }
    });
  }

  finish(): VerifiedJournal {
    this.caught(() => {
      if (!this.ended) fail('truncated', 'the export', 'its last record is not there: the file was cut off');
      this.requireClosedBatch();
      for (const anchor of this.anchors.values()) this.missingAnchor(anchor);
      for (const [shard, place] of this.withoutBodies) if (!this.retirements.has(shard)) fail('missing', place, 'its body is gone, and no entry retires its year');
      for (const [id, table] of this.needed) fail('droppedStagedRow', `row of ${table}`, `entry ${id}`);
    });
    return {
      entries: this.counts.entries, checkpoints: this.counts.checkpoints, waiting: this.counts.staged,
      oldestWaiting: this.oldestWaiting, head: this.head, anchored: this.anchored, retired: this.counts.retired,
      approved: this.acts.count, firstPolicy: this.acts.firstPolicy, fault: this.fault,
    };
  }

  /** Ends the verification with what the reader of the file found. */
  stop(reason: string): void {
    this.fault ??= { kind: 'malformed', at: 'the export', detail: reason };
  }

  private caught(step: () => void): boolean {
    if (this.fault !== undefined) return false;
    try {
      step();
      return true;
    } catch (error) {
      if (error instanceof RangeError) this.stop(error.message);
      else if (error instanceof FaultFound) this.fault = error.fault;
      else throw error;
      return false;
    }
  }

  private entry(entry: EntryRecord): void {
    const place = this.place(entry);
    const text = bodyFrame(entry.leaf, place);
    const sha256 = hash('sha256', entry.leaf, 'buffer');
    const sm3 = hash('sm3', entry.leaf, 'buffer');
    const whole = equalBytes(sha256, entry.sha256) && equalBytes(sm3, entry.sm3);
    const id = uuidOf(entry.id);
    if (text.id !== id) fail(whole || text.id !== undefined ? 'swappedBody' : 'edited', place, `stored as ${id}, says ${text.id ?? 'nothing'}`);
    if (!whole) fail('edited', place, 'its body does not give its leaf hash');
    const isLogKey = text.kind === LOG_KEY_KIND;
    if (entry.idx === 0 && !isLogKey) fail('rule', place, `the first entry of a shard is ${LOG_KEY_KIND}`);
    if (this.taking !== undefined && this.taking !== this.openedBy) fail('rule', place, 'a batch ends with the entry that changes its key');
    if (isLogKey) this.logKey(entry, place);
    else this.follow(entry);
    if (ApprovedActs.reads(text.kind)) this.requireApproved(entry, place);
    if (text.kind === RETIRE_KIND) this.retirement(entry, place);
    this.sha256.add(sha256);
    this.sm3.add(sm3);
    this.counts.entries++;
    this.needed.delete(id);
  }

  private requireApproved({ leaf }: EntryRecord, place: string): void {
    const why = this.acts.fault(leaf.subarray(1));
    if (why !== undefined) fail('unapproved', place, why);
  }

  private place({ shard, idx }: { readonly shard: number; readonly idx: number }): string {
    const place = `entry ${shard}/${idx}`;
    if (shard !== this.shard) {
      if (shard < this.shard) fail('reordered', place, `after shard ${this.shard}`);
      this.requireClosedBatch();
      [this.shard, this.sha256, this.sm3, this.checkpointed] = [shard, new MerkleRoot('sha256'), new MerkleRoot('sm3'), 0];
    }
    const expected = this.sha256.size;
    if (idx > expected) fail('missing', `entry ${shard}/${expected}`, `the next one there is ${idx}`);
    if (idx < expected) fail('reordered', place, `stands after entry ${expected - 1}`);
    return place;
  }

  private bodyless(entry: EntryRecord): void {
    const place = this.place(entry);
    const id = uuidOf(entry.id);
    // No transaction is 0: the exporter found no row.
    if (entry.xid === 0n) fail('missing', place, `its staged row ${id} is gone`);
    if (entry.idx === 0) fail('rule', place, `the first entry of a shard is ${LOG_KEY_KIND}`);
    if (this.taking !== undefined && this.taking !== this.openedBy) fail('rule', place, 'a batch ends with the entry that changes its key');
    if (this.needed.has(id)) fail('droppedStagedRow', `row of ${this.needed.get(id)}`, `entry ${id} has no body`);
    if (!this.withoutBodies.has(entry.shard)) this.withoutBodies.set(entry.shard, place);
    this.follow(entry);
    this.sha256.add(Uint8Array.from(entry.sha256));
    this.sm3.add(Uint8Array.from(entry.sm3));
    this.counts.entries++;
    this.counts.retired++;
  }

  private retirement(entry: EntryRecord, place: string): void {
    const year = readRetirement(entry.leaf.subarray(1));
    if (year === undefined) return fail('rule', place, 'a retirement that does not parse');
    // Nobody retires the year in which it is said.
    if (year >= entry.shard) fail('rule', place, `it retires ${year}`);
    this.retirements.add(year);
  }

  private follow({ idx, xid, id }: EntryRecord): void {
    const { before } = this;
    if (before !== undefined && (xid < before.xid || (xid === before.xid && Buffer.compare(id, before.id) <= 0))) this.unordered ??= idx;
    this.before = { xid, id: Buffer.from(id) };
  }

  private logKey(entry: EntryRecord, place: string): void {
    const named = readLogKey(entry.leaf.subarray(1));
    if (named === undefined) return fail('rule', place, 'a log key entry that does not parse');
    if (named.shard !== entry.shard) fail('rule', place, `it speaks of shard ${named.shard}`);
    const closed = entry.idx === 0 ? this.head : undefined;
    const { previous } = named;
    if ((previous === undefined) !== (closed === undefined)) fail('rule', place, 'the head of the shard before must be named, there and only there');
    if (previous !== undefined && closed !== undefined) {
      const same = previous.shard === closed.shard && previous.size === closed.size && previous.sha256Root === closed.sha256Root && previous.sm3Root === closed.sm3Root;
      if (!same) fail('truncated', `checkpoint ${previous.shard}/${previous.size}`, `${place} continues from it, the log before ends at ${closed.shard}/${closed.size}`);
    }
    this.taking = named;
    if (entry.idx === 0) this.openedBy = named;
  }

  private checkpoint(line: string): void {
    const signed = readSignedHead(line);
    const checkpoint = signed === undefined ? undefined : readCheckpoint(signed.text);
    if (signed === undefined || checkpoint === undefined) return fail('malformed', `the checkpoint after entry ${this.shard}/${this.sha256.size - 1}`, 'it does not parse');
    const place = `checkpoint ${checkpoint.shard}/${checkpoint.size}`;
    if (checkpoint.shard !== this.shard || checkpoint.size < this.sha256.size) fail('reordered', place, `stands after entry ${this.shard}/${this.sha256.size - 1}`);
    if (checkpoint.size > this.sha256.size) fail('missing', `entry ${this.shard}/${this.sha256.size}`, `${place} counts it`);
    this.requireSignature(signed, checkpoint, place);
    const range = `entries ${this.shard}/${this.checkpointed} to ${this.shard}/${checkpoint.size - 1}`;
    if (toHex(this.sha256.root()) !== checkpoint.sha256Root || toHex(this.sm3.root()) !== checkpoint.sm3Root) {
      if (this.unordered !== undefined) fail('reordered', `entry ${this.shard}/${this.unordered}`, `${place} has other roots`);
      fail('edited', checkpoint.size - this.checkpointed === 1 ? `entry ${this.shard}/${this.checkpointed}` : range, `bodies and leaf hashes fit, ${place} has other roots`);
    }
    if (this.head !== undefined && checkpoint.at < this.head.at) fail('timeBackwards', place, checkpoint.at.toISOString());
    this.matchAnchor(checkpoint, signed, place);
    [this.head, this.checkpointed, this.before, this.unordered] = [checkpoint, checkpoint.size, undefined, undefined];
    this.counts.checkpoints++;
  }

  private requireSignature(signed: SignedHead, checkpoint: Checkpoint, place: string): void {
    const { taking, trusted } = this;
    const first = trusted.named === undefined;
    if (taking !== undefined) {
      if (first && !equalBytes(taking.spki, trusted.spki)) fail('foreignSignature', place, `the log begins with key ${taking.keyId}, which is not the given one`);
      const changes = !first && taking.keyId !== trusted.named?.keyId;
      if (!first && !changes && !equalBytes(taking.spki, trusted.spki)) fail('foreignSignature', place, `key ${taking.keyId} is named with another public key`);
      if (changes && !(signed.previousSignature !== undefined && this.holds(trusted.named as LogKeyNamed, signed.text, signed.previousSignature))) {
        fail('foreignSignature', place, `key ${taking.keyId} takes over without the signature of the key before`);
      }
      this.trusted = { spki: taking.spki, named: taking };
      if (first || changes) this.keys.push(taking);
      [this.taking, this.openedBy] = [undefined, undefined];
    }
    const key = this.trusted.named;
    if (key === undefined || checkpoint.keyId !== key.keyId || !this.holds(key, signed.text, signed.signature)) {
      fail('foreignSignature', place, `key ${checkpoint.keyId}`);
    }
  }

  private holds(key: LogKeyNamed, bytes: Uint8Array, signature: Uint8Array): boolean {
    return this.signatures.verify({ algorithm: SIGNATURE_ALGORITHMS[key.algorithm], publicKey: key.spki, bytes, signature });
  }

  private addAnchor(anchor: AnchoredHead): void {
    const checkpoint = readCheckpoint(anchor.text);
    if (checkpoint === undefined) {
      this.fault ??= { kind: 'malformed', at: `anchor ${anchor.source}`, detail: 'not a checkpoint' };
      return;
    }
    const name = `${checkpoint.shard}/${checkpoint.size}`;
    const other = this.anchors.get(name);
    // The same head may be anchored twice (a push that was repeated); two different ones are a fork, whoever else agrees.
    if (other !== undefined && !equalBytes(other.text, anchor.text)) this.fault ??= { kind: 'forked', at: `checkpoint ${name}`, detail: `${other.source} and ${anchor.source} differ` };
    this.anchors.set(name, anchor);
  }

  private matchAnchor(checkpoint: Checkpoint, { text }: SignedHead, place: string): void {
    const name = `${checkpoint.shard}/${checkpoint.size}`;
    const anchor = this.anchors.get(name);
    if (anchor === undefined) return;
    if (!equalBytes(anchor.text, text)) fail('forked', place, `anchor ${anchor.source}`);
    this.anchors.delete(name);
    this.anchored++;
  }

  private missingAnchor(anchor: AnchoredHead): void {
    const checkpoint = readCheckpoint(anchor.text) as Checkpoint;
    const place = `checkpoint ${checkpoint.shard}/${checkpoint.size}`;
    if (!this.keys.some((key) => this.holds(key, anchor.text, anchor.signature))) fail('foreignSignature', `anchor ${anchor.source}`, place);
    const { head } = this;
    const beyond = head === undefined || checkpoint.shard > head.shard || (checkpoint.shard === head.shard && checkpoint.size > head.size);
    fail(beyond ? 'truncated' : 'forked', place, `anchor ${anchor.source}`);
  }

  private need(ids: Buffer): void {
    if (ids.length % 16 !== 0 || this.counts.entries > 0) throw new RangeError('what the tables need stands before the entries, 16 bytes each');
    for (let at = 0; at < ids.length; at += 16) this.needed.set(uuidOf(ids.subarray(at, at + 16)), this.table);
  }

  private staged(payload: Buffer): void {
    const { id, recordedAt, leaf } = decodeStaged(payload);
    const name = uuidOf(id);
    const text = bodyFrame(leaf, `waiting entry ${name}`);
    if (text.id !== name) fail('swappedBody', `waiting entry ${name}`, `says ${text.id ?? 'nothing'}`);
    if (this.oldestWaiting === undefined || recordedAt < this.oldestWaiting) this.oldestWaiting = recordedAt;
    this.counts.staged++;
    this.needed.delete(name);
  }

  private end(payload: Buffer): void {
    const counts = readEnd(payload);
    const same = counts !== undefined && (['entries', 'checkpoints', 'staged'] as const).every((name) => counts[name] === this.counts[name]);
    if (!same) fail('truncated', 'the export', 'it does not hold as many records as it says');
    this.ended = true;
  }

  /** Every entry lies under a signed head: entries are placed and signed in one transaction. */
  private requireClosedBatch(): void {
    if (this.sha256.size > this.checkpointed) fail('truncated', `entry ${this.shard}/${this.checkpointed}`, 'no checkpoint covers it');
  }
}

function fail(kind: FaultKind, at: string, detail: string): never {
  throw new FaultFound({ kind, at, detail });
}

const ID_MARK = Buffer.from(',"id":"', 'latin1');
const KIND_MARK = '","kind":"';
const UUID_LENGTH = 36;

/**
 * Id and kind of a canonical body `{"at":…,"data":…,"id":"…","kind":"…",…}` without parsing it. A quote inside a string is
 * escaped, and no object follows `data`: the last `,"id":"` is the member.
 */
function bodyFrame(leaf: Buffer, place: string): { readonly id: string | undefined; readonly kind: string | undefined } {
  if (leaf[0] !== 0) fail('malformed', place, 'not a leaf');
  const mark = leaf.lastIndexOf(ID_MARK);
  if (mark < 0) return { id: undefined, kind: undefined };
  const from = mark + ID_MARK.length;
  const tail = leaf.toString('latin1', from, Math.min(leaf.length, from + UUID_LENGTH + KIND_MARK.length + 64));
  const kindFrom = UUID_LENGTH + KIND_MARK.length;
  const kindEnd = tail.indexOf('"', kindFrom);
  const framed = tail.startsWith(KIND_MARK, UUID_LENGTH);
  return { id: tail.slice(0, UUID_LENGTH), kind: framed && kindEnd > 0 ? tail.slice(kindFrom, kindEnd) : undefined };
}

function uuidOf(id: Buffer): string {
  const digits = id.toString('hex', 0, 16);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}
