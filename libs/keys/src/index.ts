export * from './key-record.js';
export * from './domain/key-state.js';
export * from './keys.module.js';
export * from './keys.service.js';
export { PinLogins } from './pin-logins.service.js';
export type { PinLogin } from './domain/pin-login.js';
