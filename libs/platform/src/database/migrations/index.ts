import { Journal1764000000000 } from './1764000000000-journal.js';
import { Organisations1764000001000 } from './1764000001000-organisations.js';
import { Keys1764000002000 } from './1764000002000-keys.js';

/** In the order they are applied. A new one is appended; an applied one is never edited. */
export const MIGRATIONS = [Journal1764000000000, Organisations1764000001000, Keys1764000002000] as const;
