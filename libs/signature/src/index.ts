export * from './cms.js';
export * from './domain/algorithm.js';
export * from './domain/ecdsa-signature.js';
export * from './signature-verifier.js';
