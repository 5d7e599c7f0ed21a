import { randomBytes, sign } from 'node:crypto';
import { AppError, type SecretBytes, type TerminalInput, toHex } from '#libs/platform/host';
import { type Approval, approvalBytes, type ApprovalSubject, type OwnerDocument, type PlainApproval, requireSubjectOpen, signingPolicyVersion, subjectLines, terminalLines, termsLines } from '#libs/signature';
import { z } from 'zod';
import type { Terminal } from '../terminal.js';
import { openKey, readKeyFile } from './key-file.js';

export type Decision = { readonly word: 'approve'; readonly approval: Approval } | { readonly word: 'reject'; readonly reason: string } | { readonly word: 'skip' };

export interface ApproverOptions {
  /** The account that the policy names. */
  readonly id: string;
  readonly keyFile: string;
  /** The owner's consent on paper, where the subject needs it. */
  readonly ownerDocument: z.infer<typeof OwnerDocument> | undefined;
}

const ANSWER_SECONDS = 900;
/** A policy names no end of its own. */
const POLICY_HOURS = 24;
const WORDS = ['approve', 'reject', 'skip'] as const;
const RULE = '─'.repeat(78);

/** One approver at one terminal: shows every line, takes a typed word, and signs with a key that is open for that signature alone. */
export class TerminalApprover {
  readonly #pem: Uint8Array;

  /** Throws KEY_FILE_UNREADABLE. */
  constructor(
    private readonly options: ApproverOptions,
    private readonly input: TerminalInput,
    private readonly terminal: Terminal,
  ) {
    this.#pem = readKeyFile(options.keyFile);
  }

  /** Throws APPROVAL_EXPIRED, KEY_FILE_UNREADABLE, TERMINAL_UNANSWERED. */
  async decide(subject: ApprovalSubject): Promise<Decision> {
    requireSubjectOpen(subject, new Date());
    const { id, ownerDocument } = this.options;
    const terms: Omit<PlainApproval, 'signature'> = {
      method: 'plain',
      approver: id,
      nonce: toHex(randomBytes(16)),
      policyVersion: signingPolicyVersion(subject),
      notAfter: 'notAfter' in subject ? subject.notAfter : new Date(Date.now() + POLICY_HOURS * 3_600_000).toISOString(),
      decision: 'approve',
      ...(ownerDocument === undefined ? {} : { ownerDocument }),
    };
    this.terminal.line(RULE);
    for (const line of terminalLines([...subjectLines(subject), ...termsLines(terms)])) this.terminal.line(line);
    this.terminal.line(RULE);
    const word = await this.word();
    if (word === 'skip') return { word };
    if (word === 'reject') return { word, reason: await this.line('拒绝理由 / reason: ') };
    const passphrase = await this.input.secret('口令 / passphrase: ', { seconds: ANSWER_SECONDS });
    return { word, approval: { ...terms, signature: this.signature(approvalBytes(subject, terms), passphrase) } };
  }

  private signature(bytes: Uint8Array, passphrase: SecretBytes): string {
    try {
      return toHex(sign('sha256', bytes, openKey(this.options.keyFile, this.#pem, passphrase)));
    } finally {
      passphrase.zero();
    }
  }

  /** Typed in full: Enter alone decides nothing. */
  private async word(): Promise<(typeof WORDS)[number]> {
    for (;;) {
      const typed = await this.line('输入 approve 批准、reject 拒绝、skip 跳过 / type approve, reject or skip: ');
      const word = WORDS.find((each) => each === typed);
      if (word !== undefined) return word;
    }
  }

  private async line(prompt: string): Promise<string> {
    return this.input.line(prompt, { seconds: ANSWER_SECONDS });
  }
}

const LEAST_CHARACTERS = 12;

/** Typed twice. The caller wipes it. Throws PASSPHRASE_SHORT, PASSPHRASE_DIFFERS. */
export async function newPassphrase(input: TerminalInput): Promise<SecretBytes> {
  const first = await input.secret(`新口令，至少 ${LEAST_CHARACTERS} 个字符 / new passphrase, at least ${LEAST_CHARACTERS} characters: `, { seconds: ANSWER_SECONDS });
  try {
    if (first.reveal(characters) < LEAST_CHARACTERS) throw new AppError('PASSPHRASE_SHORT', { least: LEAST_CHARACTERS });
    const second = await input.secret('再输入一次 / again: ', { seconds: ANSWER_SECONDS });
    const same = first.reveal((a) => second.reveal((b) => Buffer.compare(a, b) === 0));
    second.zero();
    if (!same) throw new AppError('PASSPHRASE_DIFFERS');
    return first;
  } catch (error) {
    first.zero();
    throw error;
  }
}

/** Of UTF-8, without making a string of it. */
function characters(bytes: Uint8Array): number {
  return bytes.reduce((count, byte) => count + ((byte & 0xc0) === 0x80 ? 0 : 1), 0);
}
