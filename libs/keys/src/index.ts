export * from './key-record.js';
export * from './domain/key-state.js';
export * from './keys.module.js';
export * from './keys.service.js';
export type { KeyFailure } from './keys.repository.js';
export { PinLogins } from './pin-logins.service.js';
export { Stops } from './stops.service.js';
export type { PinLogin } from './domain/pin-login.js';
