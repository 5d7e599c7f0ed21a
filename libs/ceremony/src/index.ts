export * from './domain/digests.js';
export * from './domain/event.js';
export * from './domain/plan.js';
export * from './domain/replay.js';
export * from './domain/script.js';
export * from './domain/signers.js';
export * from './domain/state.js';
export * from './domain/subjects.js';
