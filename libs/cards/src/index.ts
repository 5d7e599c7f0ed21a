export * from './domain/card.js';
export * from './domain/card-number.js';
export * from './domain/card-status.js';
export * from './card-history.js';
export * from './cards.module.js';
export { Cards } from './cards.service.js';
export type { StatusChange } from './cards.repository.js';
