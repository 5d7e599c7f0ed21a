import { readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { blankChip, PsamCard } from './card.js';
import { FAULTS, isFault } from './faults.js';
import { factoryTransportKey } from './factory.js';
import { serveCard } from './server.js';
import { loadChip, saveChip } from './state-file.js';

/**
 * One virtual PSAM in a process of its own:
 *   main.js --socket PATH --chip-serial HEX16 [--transport-key-file FILE] [--state FILE] [--fault NAME]
 * Without a key file the card carries the published factory key diversified by its chip serial. With --state it remembers
 * its memory over a restart. It says `ready` on stdout when the socket is open, and dies with its parent.
 */
const { values } = parseArgs({
  options: {
    socket: { type: 'string' },
    'chip-serial': { type: 'string' },
    'transport-key-file': { type: 'string' },
    state: { type: 'string' },
    fault: { type: 'string', default: 'none' },
  },
});
const { socket, state, fault } = values;
const serialHex = values['chip-serial'] ?? '';

function usage(reason: string): never {
  process.stderr.write(`psam-card: ${reason}\n`);
  process.exit(2);
}

if (socket === undefined) usage('--socket PATH is needed');
if (!/^[0-9A-Fa-f]{16}$/.test(serialHex)) usage('--chip-serial is 16 hex digits');
if (!isFault(fault)) usage(`--fault is one of ${Object.keys(FAULTS).join(', ')}`);

const chipSerial = Buffer.from(serialHex, 'hex');
const keyFile = values['transport-key-file'];
const transportKey = keyFile === undefined ? factoryTransportKey(chipSerial) : Buffer.from(readFileSync(keyFile, 'utf8').trim(), 'hex');
if (transportKey.length !== 16) usage('the transport key is 32 hex digits');

const chip = (state === undefined ? undefined : loadChip(state)) ?? blankChip(chipSerial, transportKey);
const card = new PsamCard({ chip, fault });
rmSync(socket, { force: true });
await serveCard(card, socket, () => {
  if (state !== undefined) saveChip(state, chip);
});

const die = (): void => {
  rmSync(socket, { force: true });
  process.exit(0);
};
process.on('SIGTERM', die);
process.on('SIGINT', die);
if (process.channel !== undefined && process.channel !== null) process.on('disconnect', die);
else process.stdin.on('end', die).on('error', die).resume();
process.stdout.write('ready\n');
