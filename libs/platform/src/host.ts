/**
 * What a program needs that runs without Nest and without a database (the HSM supervisor and its agents): everything here
 * loads in a few milliseconds.
 */
export * from './domain/index.js';
export * from './clock.js';
export * from './guarded-clock.js';
export * from './config/load-config.js';
export * from './config/environment.js';
export * from './logger.js';
export * from './stop-signal.js';
export * from './terminal-input.js';
export * from './local-socket.js';
export * from './files.js';
export * from './zod-reason.js';
