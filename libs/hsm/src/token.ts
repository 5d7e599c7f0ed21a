/*
 * A person's own token (UKey), by a door of its own: the agent on an operator's machine loads it without Nest and without a database.
 */

export { harden } from './agent/harden.js';
export type { VendorProfile } from './domain/vendor-profile.js';
export { loadProfiles } from './profile-files.js';
export { type PinState, UserToken, type UserTokenKey, type UserTokenPlace } from './user-token/user-token.js';
