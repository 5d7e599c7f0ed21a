import { AppError, type Bilingual, type SecretBytes, type TerminalInput } from '#libs/platform/host';
import { type SubjectLine, terminalLines } from '#libs/signature';

export interface Question {
  readonly title: Bilingual;
  readonly lines: readonly SubjectLine[];
  /** The holder says y before the PIN; without, the PIN alone is the yes. */
  readonly confirm: boolean;
}

const RULE = '─'.repeat(78);

/** Puts questions to the holder, one at a time, and gets the PIN where the answer is yes. */
export class QuestionDesk {
  #asking = false;

  constructor(
    private readonly terminal: TerminalInput,
    private readonly seconds: number,
    private readonly out: (text: string) => void = (text) => void process.stdout.write(text),
  ) {}

  /** Throws UKEY_BUSY; and whatever `use` throws. The PIN is wiped when `use` is done with it. */
  async ask<T>(question: Question, signal: AbortSignal, use: (pin: SecretBytes) => Promise<T>): Promise<T> {
    if (this.#asking) throw new AppError('UKEY_BUSY');
    this.#asking = true;
    try {
      const pin = await this.answer(question, signal);
      try {
        return await use(pin);
      } finally {
        pin.zero();
      }
    } catch (error) {
      this.out('未签名 / not signed\n');
      throw error;
    } finally {
      this.#asking = false;
    }
  }

  /** Throws UKEY_DECLINED, TERMINAL_UNANSWERED. */
  private async answer({ title, lines, confirm }: Question, signal: AbortSignal): Promise<SecretBytes> {
    const until = Date.now() + this.seconds * 1000;
    const options = (): { seconds: number; signal: AbortSignal } => ({ seconds: Math.max(0, Math.ceil((until - Date.now()) / 1000)), signal });
    this.out(`\n${RULE}\n${title.zh} / ${title.en}\n${terminalLines(lines).map((each) => `${each}\n`).join('')}${RULE}\n`);
    if (confirm && (await this.terminal.line('逐行核对。y = 同意签名，其他 = 拒绝 / read every line. y = sign, anything else = decline: ', options())) !== 'y') throw new AppError('UKEY_DECLINED');
    const pin = await this.terminal.secret('PIN（空 = 拒绝 / empty = decline）: ', options());
    if (pin.reveal((bytes) => bytes.length) > 0) return pin;
    throw new AppError('UKEY_DECLINED');
  }
}
