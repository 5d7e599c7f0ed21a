/*
 * The offline verifier by a door of its own: it needs node:fs, node:crypto, zod and pure code only; no database, device or state folder.
 */
export { readBundle } from '../evidence-bundle.js';
export { readPolicy } from '../policy-file.js';
export * from './bundle.js';
export * from './fault.js';
export * from './report-lines.js';
export * from './verify-bundle.js';
