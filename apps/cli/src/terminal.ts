import { type AppError, type Bilingual, ERROR_TEXTS, isAppError } from '#libs/platform/domain';

/** What a person reads: progress and results on stdout, errors on stderr, each in zh and en. */
export class Terminal {
  constructor(
    private readonly out: (text: string) => void = (text) => void process.stdout.write(text),
    private readonly err: (text: string) => void = (text) => void process.stderr.write(text),
  ) {}

  say(zh: string, en: string): void {
    this.out(`${zh} / ${en}\n`);
  }

  line(text: string): void {
    this.out(`${text}\n`);
  }

  warn(zh: string, en: string): void {
    this.err(`${zh} / ${en}\n`);
  }

  /** One error as a person needs it: what, and what to do next. Anything unexpected shows its stack, for the report. */
  error(error: unknown): void {
    if (isAppError(error)) {
      this.err(`${errorLines(error).join('\n')}\n`);
    } else {
      this.err(`内部错误 / internal error\n${(error as Error)?.stack ?? String(error)}\n`);
    }
  }
}

/** Three lines: zh, en, and the next action in both. */
export function errorLines(error: AppError): string[] {
  const { text, next } = ERROR_TEXTS[error.code] as { text: Bilingual; next: Bilingual };
  const filled = (template: string): string => fill(template, error.details);
  return [`[${error.code}] ${filled(text.zh)}`, filled(text.en), `下一步：${filled(next.zh)} / next: ${filled(next.en)}`];
}

function fill(template: string, details: Readonly<Record<string, unknown>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = details[name];
    if (value === undefined) return whole;
    return Array.isArray(value) ? value.join(', ') : String(value);
  });
}
