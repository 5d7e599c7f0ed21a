import { ascii, concatBytes } from '#libs/platform/domain';

/**
 * What a UKey signs to sign in: "hufu/sign-in/v1" ‖ 00 ‖ origin (UTF-8) ‖ 00 ‖ challenge. The origin is the one that the agent was
 * asked from, so that a foreign page gets nothing it can use here; the prefix keeps it apart from approvals.
 */
export function signInBytes(origin: string, challenge: Uint8Array): Uint8Array {
  const nul = Uint8Array.of(0);
  return concatBytes(ascii('hufu/sign-in/v1'), nul, new TextEncoder().encode(origin), nul, challenge);
}
