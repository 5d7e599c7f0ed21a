/**
 * Calls `stop` once when this process should end: SIGTERM, SIGINT, or the parent that started it is gone (its IPC channel
 * or the pipe on stdin closed, which the kernel does also after kill -9 of the parent).
 */
export function onStop(stop: () => Promise<void>): void {
  let stopping = false;
  const once = (): void => {
    if (stopping) return;
    stopping = true;
    const forced = setTimeout(() => process.exit(1), 10_000);
    forced.unref();
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', once);
  process.on('SIGINT', once);
  process.on('SIGHUP', once);
  if (process.channel !== undefined && process.channel !== null) process.on('disconnect', once);
  else {
    process.stdin.on('end', once);
    process.stdin.on('error', once);
    process.stdin.resume();
  }
}
