import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#libs/platform/domain';
import { parseArguments, wholeNumber } from './command.js';
import { readyLine, reasonIn } from './program.js';
import { errorLines, Terminal } from './terminal.js';

describe('what a person reads', () => {
  it('names every command in the help text', () => {
    const help = readFileSync(join(import.meta.dirname, '../help.txt'), 'utf8');
    const main = readFileSync(join(import.meta.dirname, 'main.ts'), 'utf8');
    const commands: readonly string[] = /COMMANDS = \[([^\]]+)\]/.exec(main)?.[1]?.match(/[\w-]+/g) ?? [];
    expect(commands.length).toBeGreaterThan(7);
    for (const name of commands) expect(help).toContain(`./hufu ${name}`);
    for (const file of readdirSync(join(import.meta.dirname, 'commands'))) {
      expect(file.endsWith('.spec.ts') || commands.includes(file.replace('.ts', ''))).toBe(true);
    }
  });

  it('gives an error in zh and en with the next step, filled in', () => {
    const lines = errorLines(new AppError('PORT_IN_USE', { port: 7380 }));
    expect(lines).toEqual(['[PORT_IN_USE] 端口 7380 已被占用', 'Port 7380 is in use', expect.stringMatching(/^下一步：.+ \/ next: .+/)]);
  });

  it('shows the stack of what nobody expected', () => {
    let text = '';
    new Terminal(undefined, (chunk) => (text += chunk)).error(new TypeError('odd'));
    expect(text).toContain('TypeError: odd\n    at');
  });
});

describe('arguments', () => {
  it('refuses an unknown option and numbers out of range, by name', () => {
    const refusal = (reason: RegExp) => expect.objectContaining({ code: 'COMMAND_INVALID', details: { reason: expect.stringMatching(reason) } });
    expect(() => parseArguments({ args: ['--frob'], options: {} })).toThrow(refusal(/--frob/));
    for (const text of ['-1', '1.5', '', 'x', '70000', '1e3']) expect(() => wholeNumber('port', text, 0, 65_535)).toThrow(refusal(/--port/));
    expect(wholeNumber('port', '0', 0, 65_535)).toBe(0);
  });
});

describe("a program's log", () => {
  it('is ready only when the whole line stands there', () => {
    const line = '{"level":"info","event":"ready","url":"http://127.0.0.1:1"}';
    expect(readyLine(`plain text\n${line}\n`)).toMatchObject({ url: 'http://127.0.0.1:1' });
    expect(readyLine(line)).toBeUndefined();
    expect(readyLine('{"event":"started"}\n{broken\n')).toBeUndefined();
  });

  it('tells why it ended: the last error by code and details, else its last lines', () => {
    expect(reasonIn('{"level":"error","code":"PORT_IN_USE","details":"{\\"port\\":1}"}\n')).toBe('PORT_IN_USE {"port":1}');
    expect(reasonIn('{"level":"error","code":"INTERNAL","message":"odd"}\nnoise\n')).toBe('INTERNAL odd');
    expect(reasonIn('Segmentation fault\n')).toBe('Segmentation fault');
  });
});
