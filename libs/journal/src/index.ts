export * from './domain/entry.js';
export * from './domain/merkle.js';
export * from './journal.module.js';
export * from './journal.service.js';
export * from './sequencer.js';
export * from './journal-check.js';
