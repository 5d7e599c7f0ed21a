import { Body, Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type EnrolmentOptions, Enrolments } from '#libs/access';

/** A key comes in by a one-time code and gives no right. */
@Controller('enrolments')
export class EnrolmentsController {
  constructor(private readonly enrolments: Enrolments) {}

  @Post('options')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  options(@Req() request: FastifyRequest, @Body() body: unknown): Promise<EnrolmentOptions> {
    return this.enrolments.options(body as never, request.ip);
  }

  @Post()
  enrol(@Req() request: FastifyRequest, @Body() body: unknown): Promise<{ keyDigest: string; groups: string }> {
    return this.enrolments.enrol(body as never, request.ip);
  }
}
