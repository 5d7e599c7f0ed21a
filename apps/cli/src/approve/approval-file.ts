import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { AppError, zodReason } from '#libs/platform/host';
import { Approval, type ApprovalSubject, digestSchema, readApprovalSubject } from '#libs/signature';

/** What is carried to an approver without a network, and what is carried back. Neither is secret. */
const RequestFile = z.strictObject({ format: z.literal('hufu/approval-request/1'), subject: z.unknown() });
const AnswerFile = z.strictObject({ format: z.literal('hufu/approval-answer/1'), id: digestSchema, approval: Approval });

/** A request holds at most a thousand digests, a policy a few hundred approvers. */
const BYTES_MOST = 4 * 1024 * 1024;

export function requestFile(subject: ApprovalSubject): string {
  return `${JSON.stringify({ format: 'hufu/approval-request/1', subject }, null, 2)}\n`;
}

export function answerFile(id: string, approval: Approval): string {
  return `${JSON.stringify({ format: 'hufu/approval-answer/1', id, approval }, null, 2)}\n`;
}

/** Throws COMMAND_INVALID, SUBJECT_MALFORMED. */
export function readRequestFile(path: string): ApprovalSubject {
  return readApprovalSubject(read(path, RequestFile).subject);
}

/** Throws COMMAND_INVALID. */
export function readAnswerFile(path: string): { readonly id: string; readonly approval: Approval } {
  return read(path, AnswerFile);
}

function read<S extends z.ZodType>(path: string, schema: S): z.infer<S> {
  const refused = (reason: string, cause?: unknown): AppError => new AppError('COMMAND_INVALID', { reason: `${path}: ${reason}` }, { cause });
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined || size > BYTES_MOST) throw refused(size === undefined ? 'no such file' : `more than ${BYTES_MOST} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw refused('not JSON', error);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refused(zodReason(parsed.error));
  return parsed.data;
}
