export * from './cms.js';
export * from './domain/algorithm.js';
export * from './domain/approval.js';
export * from './domain/ecdsa-signature.js';
export * from './domain/quorum.js';
export * from './domain/quorum-policy.js';
export * from './domain/sm2.js';
export * from './signature-verifier.js';
