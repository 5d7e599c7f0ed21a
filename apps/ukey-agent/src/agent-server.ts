import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AppError, ERROR_TEXTS, isAppError, type Logger, toHex } from '#libs/platform/host';
import { readOrder } from './signature-order.js';
import type { Signatures } from './signatures.js';
import type { UkeyDriver } from './ukey-driver.js';

const LOOPBACK = '127.0.0.1';
const BODY_BYTES_MOST = 64 * 1024;
const JSON_TYPE = /^application\/json(; *charset=utf-8)?$/i;
const SLOW_MILLISECONDS = 10_000;

type Route = (request: IncomingMessage, origin: string, signal: AbortSignal) => Promise<unknown>;

/**
 * HTTP on the loopback address for pages of the listed origins. Who else speaks to it: another page of the same browser (its Origin is
 * not on the list, or it sends none), and a foreign name that was made to lead here (its Host is not ours).
 */
export class AgentServer {
  readonly #routes: Readonly<Record<string, Route>>;
  readonly #hosts: readonly string[];
  #server: Server | undefined;

  constructor(
    private readonly options: { readonly port: number; readonly origins: readonly string[] },
    driver: UkeyDriver,
    signatures: Signatures,
    private readonly log: Logger,
  ) {
    this.#hosts = [`${LOOPBACK}:${options.port}`, `localhost:${options.port}`];
    this.#routes = {
      'GET /keys': async () => (await driver.keys()).map(({ keyDigest, algorithm, publicKey, label, tokenSerial }) => ({ keyDigest, algorithm, publicKey: toHex(publicKey), label, tokenSerial })),
      'POST /signatures': async (request, origin, signal) => signatures.sign(readOrder(await jsonBody(request)), origin, signal),
    };
  }

  /** Throws PORT_IN_USE. */
  async listen(): Promise<void> {
    const server = createServer({ requestTimeout: SLOW_MILLISECONDS, headersTimeout: SLOW_MILLISECONDS, maxHeaderSize: 8192 }, (request, response) => void this.answer(request, response));
    server.maxConnections = 16;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? new AppError('PORT_IN_USE', { port: this.options.port }, { cause: error }) : error));
      server.listen(this.options.port, LOOPBACK, resolve);
    });
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new AppError('UKEY_DECLINED')));
    const what = `${request.method ?? ''} ${request.url ?? ''}`;
    try {
      this.requireOwnHost(request.headers.host);
      const origin = this.requireListed(request.headers.origin);
      allow(response, origin);
      if (request.method === 'OPTIONS') return preflight(request, response);
      const route = Object.hasOwn(this.#routes, what) ? this.#routes[what] : undefined;
      if (route === undefined) throw new AppError('NOT_FOUND', { what: 'GET /keys, POST /signatures' });
      send(response, 200, await route(request, origin, gone.signal));
      this.log.info('answered', { what, origin });
    } catch (error) {
      this.refuse(response, error);
    }
  }

  private requireOwnHost(host: string | undefined): void {
    if (host === undefined || !this.#hosts.includes(host)) throw new AppError('UKEY_HOST_REFUSED', { host: (host ?? '-').slice(0, 300) });
  }

  private requireListed(origin: string | undefined): string {
    if (origin === undefined || !this.options.origins.includes(origin)) throw new AppError('UKEY_ORIGIN_REFUSED', { origin: (origin ?? '-').slice(0, 300) });
    return origin;
  }

  private refuse(response: ServerResponse, error: unknown): void {
    this.log.error('refused', error);
    const shown = isAppError(error) ? error : new AppError('INTERNAL', { requestId: '-' });
    const { status, text, next } = ERROR_TEXTS[shown.code];
    // What was not read of a body is not read: the connection ends with the answer.
    response.setHeader('Connection', 'close');
    send(response, status, { code: shown.code, details: shown.details, text, next });
  }
}

/** For exactly this origin (Fetch, CORS protocol). */
function allow(response: ServerResponse, origin: string): void {
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Vary', 'Origin');
}

/** Also Private Network Access: a page of a public address asks before it reaches a loopback one. */
function preflight(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Access-Control-Allow-Methods', 'GET, POST');
  response.setHeader('Access-Control-Allow-Headers', 'content-type');
  if (request.headers['access-control-request-private-network'] === 'true') response.setHeader('Access-Control-Allow-Private-Network', 'true');
  response.writeHead(204).end();
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' }).end(JSON.stringify(body));
}

/** A form that a page may send without asking first is no JSON. Throws REQUEST_INVALID. */
async function jsonBody(request: IncomingMessage): Promise<Uint8Array> {
  if (!JSON_TYPE.test(request.headers['content-type'] ?? '')) throw new AppError('REQUEST_INVALID', { reason: 'content-type is not application/json' });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > BODY_BYTES_MOST) throw new AppError('REQUEST_INVALID', { reason: `more than ${BODY_BYTES_MOST} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
