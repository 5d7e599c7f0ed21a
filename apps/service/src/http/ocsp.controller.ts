import { Body, Controller, Get, Header, HttpCode, Param, Post } from '@nestjs/common';
import { OcspResponder } from '#libs/ocsp';

/** RFC 6960 appendix A: DER by POST, or Base64 in the path by GET. */
@Controller('ocsp')
export class OcspController {
  constructor(private readonly responder: OcspResponder) {}

  @Post()
  @HttpCode(200)
  @Header('content-type', 'application/ocsp-response')
  async post(@Body() body: unknown): Promise<Buffer> {
    return this.answer(Buffer.isBuffer(body) ? body : new Uint8Array());
  }

  @Get('*')
  @Header('content-type', 'application/ocsp-response')
  async get(@Param('*') request: string): Promise<Buffer> {
    return this.answer(Buffer.from(request, 'base64'));
  }

  private async answer(request: Uint8Array): Promise<Buffer> {
    return Buffer.from(await this.responder.respond(request));
  }
}
