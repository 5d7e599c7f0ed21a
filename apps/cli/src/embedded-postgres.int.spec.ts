import { afterEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { EmbeddedPostgres, type PostgresOptions } from './embedded-postgres.js';
import { embeddedBinaries, stopProcessesOf } from './postgres-cluster.js';
import { processesIn, waitUntilNone } from './process-table.js';

const checkout = resolve(import.meta.dirname, '../../..');
const folders: string[] = [];
const leaders: ChildProcess[] = [];

/** A state folder as the issue wants it: 0700, with a space, under a 0700 ancestor. */
function place(): PostgresOptions {
  const ancestor = mkdtempSync(join(tmpdir(), 'hufu-pg-'));
  folders.push(ancestor);
  chmodSync(ancestor, 0o700);
  const home = join(ancestor, 'state 虎符');
  for (const name of ['', 'pg', 'secrets', 'logs']) mkdirSync(join(home, name), { mode: 0o700 });
  return {
    binaries: embeddedBinaries(checkout),
    dataFolder: join(home, 'pg', 'data'),
    passwordFile: join(home, 'secrets', 'postgres-password'),
    logFile: join(home, 'logs', 'postgres.log'),
    durable: false,
  };
}

afterEach(async () => {
  for (const leader of leaders.splice(0)) leader.kill('SIGKILL');
  for (const folder of folders.splice(0)) {
    await stopProcessesOf(join(folder, 'state 虎符', 'pg', 'data'));
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Column `v` of the last statement's rows. */
async function query(url: string, ...statements: string[]): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    let rows: { v: unknown }[] = [];
    for (const text of statements) ({ rows } = await client.query<{ v: unknown }>(text));
    return rows.map((row) => row.v);
  } finally {
    await client.end();
  }
}

/** A program that starts PostgreSQL from dist/ and waits; `detached` makes it the leader of a process group of its own. */
function startLeader(options: PostgresOptions): Promise<{ leader: ChildProcess; port: number }> {
  const program = `
    const { EmbeddedPostgres } = await import(${JSON.stringify(join(checkout, 'dist/apps/cli/src/embedded-postgres.js'))});
    const server = await EmbeddedPostgres.start(${JSON.stringify(options)});
    process.stdout.write('port ' + server.port + '\\n');
    setInterval(() => undefined, 1000);`;
  const leader = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: checkout, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  leaders.push(leader);
  return new Promise((done, failed) => {
    leader.once('exit', (code) => failed(new Error(`leader ended: ${code}`)));
    leader.stdout?.once('data', (text: Buffer) => done({ leader, port: Number(text.toString().split(' ')[1]) }));
  });
}

describe('embedded PostgreSQL', () => {
  it('runs in a 0700 folder with a space, asks for a password, keeps data over a restart', async () => {
    const options = place();
    const first = await EmbeddedPostgres.start(options);
    expect(statSync(options.passwordFile).mode & 0o777).toBe(0o600);
    await query(first.url('postgres'), "CREATE TABLE kept (v text)", "INSERT INTO kept VALUES ('虎符')");
    await expect(query(first.urlFor('postgres', 'wrong', 'postgres'), 'SELECT 1 AS v')).rejects.toMatchObject({ code: '28P01' });
    await first.stop();
    expect(processesIn(options.dataFolder)).toEqual([]);
    const second = await EmbeddedPostgres.start(options);
    expect(await query(second.url('postgres'), 'SELECT v FROM kept')).toEqual(['虎符']);
    expect(await query(second.url('postgres'), "SELECT current_setting('server_encoding') || current_setting('unix_socket_directories') AS v")).toEqual(['UTF8']);
    await second.stop();
    expect(readFileSync(options.logFile, 'utf8')).not.toContain('automatic recovery');
  });

  it('makes an interrupted cluster anew', async () => {
    const options = place();
    mkdirSync(`${options.dataFolder}.new`);
    writeFileSync(join(`${options.dataFolder}.new`, 'PG_VERSION'), '18\n');
    const server = await EmbeddedPostgres.start(options);
    expect(await query(server.url('postgres'), 'SELECT 1 AS v')).toEqual([1]);
    expect(existsSync(`${options.dataFolder}.new`)).toBe(false);
    await server.stop();
  });

  it.each([
    ['the leader', (leader: number) => process.kill(leader, 'SIGKILL')],
    ['its whole process group', (leader: number) => process.kill(-leader, 'SIGKILL')],
  ])('leaves no process after kill -9 of %s, and starts again', async (_name, kill) => {
    const options = { ...place(), durable: true };
    const { leader, port } = await startLeader(options);
    const url = `postgres://postgres:${readFileSync(options.passwordFile, 'utf8')}@127.0.0.1:${port}/postgres`;
    await query(url, 'CREATE TABLE kept (v int)', 'INSERT INTO kept VALUES (7)');
    expect(processesIn(options.dataFolder).length).toBeGreaterThan(1);
    kill(leader.pid as number);
    expect(await waitUntilNone(() => processesIn(options.dataFolder), 5_000)).toBe(true);
    const again = await EmbeddedPostgres.start(options);
    expect(await query(again.url('postgres'), 'SELECT v FROM kept')).toEqual([7]);
    await again.stop();
  });

  it('stops an earlier postmaster of this cluster and is not fooled by a postmaster.pid with a foreign number', async () => {
    const options = place();
    const earlier = await EmbeddedPostgres.start(options);
    let reason: string | undefined;
    earlier.onUnexpectedEnd((text) => (reason = text));
    const next = await EmbeddedPostgres.start(options);
    expect(next.pid).not.toBe(earlier.pid);
    expect(reason).toContain('database system is shut down');
    await next.stop();
    writeFileSync(join(options.dataFolder, 'postmaster.pid'), `${process.pid}\n${options.dataFolder}\n0\n1\n\n127.0.0.1\n0\n`);
    const last = await EmbeddedPostgres.start(options);
    expect(await query(last.url('postgres'), 'SELECT 1 AS v')).toEqual([1]);
    await last.stop();
  });

  it('says PORT_IN_USE for a port that was asked for', async () => {
    const options = place();
    const holder = createServer();
    const port = await new Promise<number>((done) => holder.listen(0, '127.0.0.1', () => done((holder.address() as { port: number }).port)));
    await expect(EmbeddedPostgres.start({ ...options, port })).rejects.toMatchObject({ code: 'PORT_IN_USE', details: { port } });
    holder.close();
    expect(processesIn(options.dataFolder)).toEqual([]);
  });

  it('names the reason when the cluster is damaged', async () => {
    const options = place();
    await (await EmbeddedPostgres.start(options)).stop();
    for (const name of readdirSync(join(options.dataFolder, 'global'))) rmSync(join(options.dataFolder, 'global', name));
    await expect(EmbeddedPostgres.start(options)).rejects.toMatchObject({
      code: 'POSTGRES_FAILED',
      details: { reason: expect.stringContaining('pg_control') },
    });
  });
});
