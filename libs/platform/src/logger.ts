import { isAppError } from './domain/index.js';

export type LogLevel = 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * One JSON object a line on stderr. Callers pass identifiers and counts, never request bodies: there is no way to hand it
 * an object that could hold a key or a PIN. The audit trail is the journal, not this log.
 */
export class Logger {
  constructor(
    readonly processName: string,
    private readonly write: (line: string) => void = (line) => void process.stderr.write(line),
  ) {}

  info(event: string, fields: LogFields = {}): void {
    this.log('info', event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.log('warn', event, fields);
  }

  /** Logs an error by its code or name and message; AppError details are names and numbers by contract. */
  error(event: string, error: unknown, fields: LogFields = {}): void {
    const shown = isAppError(error)
      ? { code: error.code, details: JSON.stringify(error.details) }
      : { code: 'INTERNAL', message: (error as Error)?.message, stack: (error as Error)?.stack };
    this.log('error', event, { ...fields, ...shown });
  }

  private log(level: LogLevel, event: string, fields: LogFields): void {
    this.write(`${JSON.stringify({ at: new Date().toISOString(), level, process: this.processName, event, ...fields })}\n`);
  }
}
