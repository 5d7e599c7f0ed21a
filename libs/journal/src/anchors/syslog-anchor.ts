import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Clock } from '#libs/platform';
import { Anchor, type AnchorConfig } from './anchor.js';
import { octetCounted, syslogMessage } from './syslog-message.js';

const SEND_MILLISECONDS = 3_000;

type Place = Extract<AnchorConfig, { kind: 'syslog' }>;
type Send = (messages: readonly string[]) => Promise<void>;

/**
 * To a syslog collector. RFC 5424 has no answer: over UDP a push that returns has left this host, over a stream the collector's
 * system has acknowledged it by closing in good order. An own connection for each push.
 */
export class SyslogAnchor extends Anchor {
  override readonly name: string;
  private readonly send: Send;

  constructor(place: Place, private readonly clock: Clock) {
    super();
    this.name = place.name;
    this.send = SENDERS[place.transport](place as never);
  }

  override push(lines: readonly string[]): Promise<void> {
    return this.send(lines.map((line) => syslogMessage(line, this.clock.now(), hostname(), process.pid)));
  }

  override async close(): Promise<void> {
    // Nothing stays open between pushes.
  }
}

const SENDERS: { readonly [T in Place['transport']]: (place: Extract<Place, { transport: T }>) => Send } = {
  udp: ({ host, port }) => async (messages) => {
    const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
    try {
      for (const message of messages) {
        await new Promise<void>((resolve, reject) => {
          socket.once('error', reject);
          socket.send(Buffer.from(message, 'utf8'), port, host, (error) => (error === null ? resolve() : reject(error)));
        });
      }
    } finally {
      socket.close();
    }
  },
  tcp: ({ host, port }) => streamed(() => connect({ host, port })),
  unix: ({ path }) => streamed(() => connect({ path })),
};

function streamed(open: () => Socket): Send {
  return (messages) =>
    new Promise<void>((resolve, reject) => {
      const socket = open();
      socket.setTimeout(SEND_MILLISECONDS, () => socket.destroy(new Error('the collector does not answer')));
      socket.once('error', reject);
      // What a collector says is read away, or its end would never be seen.
      socket.resume();
      socket.once('close', (failed) => (failed ? reject(new Error('the connection broke')) : resolve()));
      socket.end(messages.map(octetCounted).join(''));
    });
}
