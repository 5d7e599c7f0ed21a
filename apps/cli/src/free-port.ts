import { createServer } from 'node:net';
import { AppError } from '#libs/platform/domain';

/** A TCP port of 127.0.0.1 that nobody listens on at this moment. Who uses it must still expect to be beaten to it. */
export function freePort(): Promise<number> {
  return listenOnce(0);
}

/** Throws PORT_IN_USE when somebody listens there. */
export async function requireFreePort(port: number): Promise<number> {
  return listenOnce(port).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') throw new AppError('PORT_IN_USE', { port });
    throw error;
  });
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no address'))));
    });
  });
}
