/** Which rules a verdict followed. Changed whenever a record could get another class than before. */
export const RULE_VERSION = 'settlement-rules/1';

/** Which program applied them, and by what cryptography. */
export const VERIFIER_VERSION = 'hufu-verifier/1 (openssl)';
