import { ACCESS_COMMANDS } from './access-commands.js';
import { APPROVAL_COMMANDS } from './approval-commands.js';
import { CALENDAR_COMMANDS } from './calendar-commands.js';
import type { Command } from './command.js';
import { DEVICE_COMMANDS } from './device-commands.js';
import { JOURNAL_COMMANDS } from './journal-commands.js';
import { KEY_COMMANDS } from './key-commands.js';
import { ORGANISATION_COMMANDS } from './organisation-commands.js';
import { PKI_COMMANDS } from './pki-commands.js';
import { PSAM_COMMANDS } from './psam-commands.js';
import { SETTLEMENT_COMMANDS } from './settlement-commands.js';

/** Everything that the command socket understands: name → arguments and use case. */
export const COMMANDS: Readonly<Record<string, Command>> = { ...ACCESS_COMMANDS, ...APPROVAL_COMMANDS, ...CALENDAR_COMMANDS, ...DEVICE_COMMANDS, ...JOURNAL_COMMANDS, ...KEY_COMMANDS, ...ORGANISATION_COMMANDS, ...PKI_COMMANDS, ...PSAM_COMMANDS, ...SETTLEMENT_COMMANDS };
