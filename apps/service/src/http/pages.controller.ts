import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Origins, ROLES } from '#libs/access';
import { AppError, type Bilingual } from '#libs/platform';
import { type PageFile, PageFiles } from './page-files.js';
import { UkeyAgentAddress } from './ukey-agent-address.js';

const ROLE_TEXTS: Readonly<Record<string, Bilingual>> = Object.fromEntries(Object.entries(ROLES).map(([name, { text }]) => [name, text]));

/** Nothing but the page's own files, no frame around it, no form that leaves it; the one other place is the UKey agent. */
const pageHeaders = (ukeyAgent: string) => ({
  'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${ukeyAgent}; frame-ancestors 'none'; form-action 'none'; base-uri 'none'`,
  'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=(), payment=(), usb=()',
  'cache-control': 'no-cache',
});

/** Sign-in, enrolment and approvals: plain pages until the console serves them. Approvals have a host of their own. */
@Controller()
export class PagesController {
  constructor(
    private readonly files: PageFiles,
    private readonly origins: Origins,
    private readonly agent: UkeyAgentAddress,
  ) {}

  @Get('sign-in')
  signIn(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.requireHost(request, this.origins.all());
    this.give(request, reply, this.files.page('sign-in.html'));
  }

  @Get('enrol')
  enrol(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.requireHost(request, [this.origins.console(), this.origins.approve()]);
    this.give(request, reply, this.files.page('enrol.html'));
  }

  @Get('approve')
  approve(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.requireHost(request, [this.origins.approve()]);
    this.give(request, reply, this.files.page('approve.html'));
  }

  /** The parts of the pages; `site.json` says where the sites and the UKey agent are, and what roles are called. */
  @Get('pages/:file')
  part(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('file') file: string): void {
    this.requireHost(request, this.origins.all());
    if (file !== 'site.json') return this.give(request, reply, this.files.part(file));
    const sites = { console: this.origins.console(), approve: this.origins.approve(), clientCertificates: this.origins.certificate() ?? null };
    void reply.type('application/json').send(JSON.stringify({ ...sites, ukeyAgent: this.agent.origin, roles: ROLE_TEXTS }));
  }

  /** Throws HOST_WRONG. The whole host with its port is compared: a name that somebody else points here is not this site. */
  private requireHost({ headers }: FastifyRequest, origins: readonly string[]): void {
    const host = headers.host?.toLowerCase() ?? '';
    if (!origins.some((origin) => new URL(origin).host === host)) throw new AppError('HOST_WRONG', { host: host.slice(0, 300), place: origins.join(', ') });
  }

  private give({ headers }: FastifyRequest, reply: FastifyReply, { type, bytes, tag }: PageFile): void {
    void reply.headers({ ...pageHeaders(this.agent.origin), etag: tag });
    if (headers['if-none-match'] === tag) void reply.code(304).send();
    else void reply.type(type).send(bytes);
  }
}
