import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Who sends a request: the account of a session, a client certificate or whatever sign-in there is. */
export abstract class SignedIn {
  /** Undefined: nobody that this service knows. */
  abstract operatorOf(request: FastifyRequest): Promise<string | undefined>;
}

/** Until there is sign-in nobody is signed in, so whatever is not public is refused. */
@Injectable()
export class NobodySignedIn extends SignedIn {
  override async operatorOf(): Promise<undefined> {
    return undefined;
  }
}
