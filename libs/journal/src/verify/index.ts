/*
 * The offline verifier by a door of its own: it needs node:fs, node:crypto and pure code only, so that it can be handed to a stranger
 * as one file (apps/cli/src/journal-verifier).
 */
export * from './fault.js';
export * from './journal-verifier.js';
export * from './report-lines.js';
export * from './verify-file.js';
