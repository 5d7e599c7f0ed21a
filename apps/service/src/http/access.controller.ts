import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ChangeContent, Changes, type ChangeView, CodeRequest, Departures, Enrolments, Leave, NewPerson, OperatorId, Operators, type OperatorView, Refusals, Sessions, type Shortage } from '#libs/access';
import { admitted } from './operator-guard.js';
import { parse } from './parsed.js';

const id = z.uuid();
const Page = z.strictObject({ after: id.optional(), limit: z.coerce.number().int().min(1).max(200).default(50) });
const Why = z.strictObject({ reason: z.string().trim().min(1).max(500) });
const Withdrawal = Why.extend({ rowId: id });
const Given = z.strictObject({ assignmentId: id, successorId: id, evidenceDigest: z.string().max(64) });
const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
/** Times arrive as text; the room judges the rest. */
const Announced = z.looseObject({ validFrom: instant, validUntil: instant.optional() }).pipe(Leave);

/** Persons, changes of their rights, leaves and hand-overs. Who may call what stands in ROUTE_ROLES; the room judges person by person. */
@Controller('access')
export class AccessController {
  constructor(
    private readonly operators: Operators,
    private readonly changes: Changes,
    private readonly departures: Departures,
    private readonly enrolments: Enrolments,
    private readonly sessions: Sessions,
    private readonly refusals: Refusals,
  ) {}

  @Get('operators')
  list(@Req() request: FastifyRequest, @Query() query: unknown): Promise<OperatorView[]> {
    const { after, limit } = parse(Page, query);
    return this.operators.list(admitted(request).scope, { after, limit });
  }

  @Get('forecast')
  forecast(): Promise<Shortage[]> {
    return this.operators.forecast();
  }

  @Get('changes')
  pending(@Req() request: FastifyRequest): Promise<ChangeView[]> {
    return this.changes.pending(admitted(request).scope);
  }

  @Get('notices')
  notices(@Req() request: FastifyRequest): Promise<unknown[]> {
    return this.changes.notices(by(request));
  }

  @Post('persons')
  async registerPerson(@Req() request: FastifyRequest, @Body() body: unknown): Promise<{ personId: string }> {
    return { personId: await this.operators.registerPerson(by(request), parse(NewPerson, body)) };
  }

  @Post('persons/:personId/changes')
  async propose(@Req() request: FastifyRequest, @Param('personId') personId: unknown, @Body() body: unknown): Promise<{ changeId: string }> {
    return { changeId: await this.changes.propose(by(request), parse(id, personId), parse(ChangeContent, body)) };
  }

  @Post('changes/:changeId/confirmations')
  async confirm(@Req() request: FastifyRequest, @Param('changeId') changeId: unknown): Promise<{ missing: string[] }> {
    return { missing: await this.changes.confirm(by(request), parse(id, changeId)) };
  }

  @Post('changes/:changeId/refusals')
  @HttpCode(204)
  refuse(@Req() request: FastifyRequest, @Param('changeId') changeId: unknown, @Body() body: unknown): Promise<void> {
    return this.changes.refuse(by(request), parse(id, changeId), parse(Why, body).reason);
  }

  @Post('operators/:operatorId/suspensions')
  @HttpCode(204)
  suspend(@Req() request: FastifyRequest, @Param('operatorId') operatorId: unknown): Promise<void> {
    return this.operators.suspend(by(request), parse(z.string().max(32), operatorId));
  }

  @Delete('operators/:operatorId/sessions')
  async endSessions(@Req() request: FastifyRequest, @Param('operatorId') operatorId: unknown): Promise<{ ended: number }> {
    return { ended: await this.sessions.endAll(by(request), parse(OperatorId, operatorId)) };
  }

  @Delete('operators/:operatorId/sign-in-lock')
  @HttpCode(204)
  unlock(@Req() request: FastifyRequest, @Param('operatorId') operatorId: unknown): Promise<void> {
    return this.refusals.unlock(by(request), parse(OperatorId, operatorId));
  }

  /** The code is shown once, to be handed over in person. */
  @Post('persons/:personId/enrolment-codes')
  @Header('cache-control', 'no-store')
  enrolmentCode(@Req() request: FastifyRequest, @Param('personId') personId: unknown, @Body() body: unknown): Promise<{ code: string; expiresAt: Date }> {
    return this.enrolments.code(by(request), parse(id, personId), parse(CodeRequest, body));
  }

  @Post('persons/:personId/withdrawals')
  @HttpCode(204)
  withdraw(@Req() request: FastifyRequest, @Param('personId') personId: unknown, @Body() body: unknown): Promise<void> {
    return this.operators.withdraw(by(request), { personId: parse(id, personId), ...parse(Withdrawal, body) });
  }

  @Post('persons/:personId/leaves')
  @HttpCode(204)
  announce(@Req() request: FastifyRequest, @Param('personId') personId: unknown, @Body() body: unknown): Promise<void> {
    return this.departures.announce(by(request), parse(id, personId), parse(Announced, body));
  }

  @Post('persons/:personId/departures')
  @HttpCode(204)
  leave(@Req() request: FastifyRequest, @Param('personId') personId: unknown): Promise<void> {
    return this.departures.leave(by(request), parse(id, personId));
  }

  @Post('hand-overs')
  async handOver(@Req() request: FastifyRequest, @Body() body: unknown): Promise<{ handOverId: string }> {
    return { handOverId: await this.departures.handOver(by(request), parse(Given, body)) };
  }

  @Post('persons/:personId/hand-overs/:handOverId/receipts')
  @HttpCode(204)
  receive(@Req() request: FastifyRequest, @Param('personId') personId: unknown, @Param('handOverId') handOverId: unknown): Promise<void> {
    return this.departures.receive(by(request), parse(id, personId), parse(id, handOverId));
  }
}

function by(request: FastifyRequest): string {
  return admitted(request).acting.operatorId;
}
