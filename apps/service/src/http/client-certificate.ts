import { TLSSocket } from 'node:tls';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** The certificate with which a connection was opened. */
export abstract class ClientCertificate {
  /** DER. Undefined: plain HTTP, no certificate, or one that the listener did not accept. */
  abstract of(request: FastifyRequest): { readonly certificate: Uint8Array } | undefined;
}

/** As the TLS connection itself says: headers of a proxy are not believed. */
@Injectable()
export class ConnectionCertificate extends ClientCertificate {
  override of(request: FastifyRequest): { readonly certificate: Uint8Array } | undefined {
    const { socket } = request.raw;
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    const { raw } = socket.getPeerCertificate(true);
    return raw === undefined ? undefined : { certificate: Uint8Array.from(raw) };
  }
}
