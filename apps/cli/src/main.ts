import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { environment } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import type { Command } from './command.js';
import { StateFolder } from './state-folder.js';
import { Terminal } from './terminal.js';

/** Every command is a file of `commands/` and a line of help.txt. Loaded when called: `doctor` needs no demo. */
const COMMANDS = ['demo', 'test', 'up', 'doctor', 'migrate', 'report', 'journal', 'ceremony', 'approve', 'ukey-agent', 'bench', 'soak'] as const;

// From dist/apps/cli/src to the checkout.
const checkout = resolve(import.meta.dirname, '../../../..');
const terminal = new Terminal();

async function main([name = 'help', ...args]: string[]): Promise<number> {
  if (name === 'help') {
    terminal.line(readFileSync(join(checkout, 'apps', 'cli', 'help.txt'), 'utf8'));
    return 0;
  }
  const command = await load(name);
  const state = new StateFolder(environment().hufuHome ?? join(checkout, '.hufu'));
  return command.run({ args, checkout, state, terminal });
}

async function load(name: string): Promise<Command> {
  if (!(COMMANDS as readonly string[]).includes(name)) throw new AppError('COMMAND_INVALID', { reason: name });
  const file = new URL(`./commands/${name}.js`, import.meta.url);
  try {
    return (await import(file.href)) as Command;
  } catch (error) {
    const missing = error as { code?: string; url?: string };
    if (missing.code === 'ERR_MODULE_NOT_FOUND' && missing.url === file.href) throw new AppError('COMMAND_ABSENT', { command: name });
    throw error;
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    terminal.error(error);
    process.exit(1);
  },
);
