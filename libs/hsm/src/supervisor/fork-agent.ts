import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AgentOrder, AgentReport } from '../ipc.js';

/**
 * SIGUSR1 would open a debugger in a process that knows a PIN. The others keep an agent small: it holds no objects worth a large
 * nursery, its work is in the executor's own threads, and forty-five of them share a host.
 */
const AGENT_FLAGS = ['--disable-sigusr1', '--max-semi-space-size=1', '--v8-pool-size=1', '--expose-gc'];
const SMALL_HEAP = { MALLOC_ARENA_MAX: '1' };

/**
 * An agent process: no input, no output but its errors, no debugger signal, and only the environment given. The IPC channel
 * is its lifeline.
 */
export function forkAgent(entry: URL, environment: Record<string, string>): ChildProcess {
  return fork(fileURLToPath(entry), [], {
    env: { ...SMALL_HEAP, ...environment },
    execArgv: AGENT_FLAGS,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** Sends an order that holds PINs and wipes them here once the bytes are on their way. */
export function sendSecret(child: ChildProcess, order: AgentOrder, secrets: readonly Uint8Array[]): void {
  child.send(order, () => {
    for (const secret of secrets) secret.fill(0);
  });
}

export function onReport(child: ChildProcess, handle: (report: AgentReport) => void): void {
  child.on('message', (message) => handle(message as AgentReport));
}
