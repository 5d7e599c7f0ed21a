export * from './domain/organisation.js';
export * from './domain/organisation-act.js';
export * from './domain/organisation-book.js';
export * from './domain/organisation-kind.js';
export * from './domain/organisation-list.js';
export * from './organisations.module.js';
export * from './organisations.service.js';
export type { OrganisationFilter, OrganisationView } from './organisations.repository.js';
