import type { ErrorCode } from '#libs/platform/domain';

/**
 * Codes that say something about the device and nothing about the request: a sibling may answer. Everything else (rules, keys,
 * capabilities) would be refused there too.
 */
const DEVICE_FAILURES: ReadonlySet<ErrorCode> = new Set(['HSM_ERROR', 'HSM_DEVICE_DOWN', 'HSM_TIMEOUT', 'HSM_ANSWER_WRONG', 'TOKEN_MISSING', 'PIN_REFUSED', 'INTERNAL']);

export function isDeviceFailure(code: ErrorCode): boolean {
  return DEVICE_FAILURES.has(code);
}
