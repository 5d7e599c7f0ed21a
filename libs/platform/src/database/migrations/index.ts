import { Journal1764000000000 } from './1764000000000-journal.js';
import { Organisations1764000001000 } from './1764000001000-organisations.js';
import { Keys1764000002000 } from './1764000002000-keys.js';
import { Psam1764000003000 } from './1764000003000-psam.js';
import { Pki1764000004000 } from './1764000004000-pki.js';
import { Cards1764000005000 } from './1764000005000-cards.js';
import { Verification1764000006000 } from './1764000006000-verification.js';
import { Reports1764000007000 } from './1764000007000-reports.js';
import { PinLogins1764000008000 } from './1764000008000-pin-logins.js';
import { OrganisationHistory1764000013000 } from './1764000013000-organisation-history.js';
import { WorkingDays1764000014000 } from './1764000014000-working-days.js';
import { ConnectedDevices1764000015000 } from './1764000015000-connected-devices.js';
import { JournalCheckpoints1764000016000 } from './1764000016000-journal-checkpoints.js';
import { Access1764000020000 } from './1764000020000-access.js';
import { SignIn1764000021000 } from './1764000021000-sign-in.js';
import { Approvals1764000022000 } from './1764000022000-approvals.js';
import { JournalGuard1764000023000 } from './1764000023000-journal-guard.js';
import { Retention1764000031000 } from './1764000031000-retention.js';

/** In the order they are applied. A new one is appended; an applied one is never edited. */
export const MIGRATIONS = [
  Journal1764000000000,
  Organisations1764000001000,
  Keys1764000002000,
  Psam1764000003000,
  Pki1764000004000,
  Cards1764000005000,
  Verification1764000006000,
  Reports1764000007000,
  PinLogins1764000008000,
  OrganisationHistory1764000013000,
  WorkingDays1764000014000,
  ConnectedDevices1764000015000,
  JournalCheckpoints1764000016000,
  Access1764000020000,
  SignIn1764000021000,
  Approvals1764000022000,
  JournalGuard1764000023000,
  Retention1764000031000,
] as const;
