/** Facility 13 (log audit), severity 5 (notice): RFC 5424 6.2.1. */
const PRIORITY = 13 * 8 + 5;
const APP_NAME = 'hufu';
const MESSAGE_ID = 'journal-checkpoint';
const NOTHING = '-';

/** One RFC 5424 message whose MSG is the line of a head. `at` is when it is sent; the head has its own time. */
export function syslogMessage(line: string, at: Date, host: string, processId: number): string {
  const hostName = /^[\x21-\x7e]{1,255}$/.test(host) ? host : NOTHING;
  return `<${PRIORITY}>1 ${at.toISOString()} ${hostName} ${APP_NAME} ${processId} ${MESSAGE_ID} ${NOTHING} ${line}`;
}

/** RFC 6587 3.4.1: the number of octets, a space, the message. */
export function octetCounted(message: string): string {
  return `${Buffer.byteLength(message, 'utf8')} ${message}`;
}
