import { Body, Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Approvals, type ApprovalView, type PendingApproval, PolicyChanges, PolicyDraft } from '#libs/access';
import { Approval, type MissingApprovals } from '#libs/signature';
import { admitted } from './operator-guard.js';
import { parse } from './parsed.js';

const id = z.string().regex(/^[0-9A-F]{64}$/, 'SHA-256 as upper-case hex');
const Given = z.strictObject({ approval: Approval });
const Why = z.strictObject({ reason: z.string().trim().min(1).max(500) });

/** What waits for approvers, and their answers. The signature says who approves; who is signed in must be the same. */
@Controller()
export class ApprovalsController {
  constructor(
    private readonly approvals: Approvals,
    private readonly policies: PolicyChanges,
  ) {}

  @Get('approvals')
  pending(@Req() request: FastifyRequest): PendingApproval[] {
    return this.approvals.pending(by(request));
  }

  @Get('approvals/:subjectId')
  view(@Req() request: FastifyRequest, @Param('subjectId') subjectId: unknown): Promise<ApprovalView> {
    return this.approvals.view(by(request), parse(id, subjectId));
  }

  @Post('approvals/:subjectId')
  @HttpCode(200)
  async approve(@Req() request: FastifyRequest, @Param('subjectId') subjectId: unknown, @Body() body: unknown): Promise<{ missing: MissingApprovals }> {
    return { missing: await this.approvals.approve(by(request), parse(id, subjectId), parse(Given, body).approval) };
  }

  @Post('approvals/:subjectId/refusals')
  @HttpCode(204)
  refuse(@Req() request: FastifyRequest, @Param('subjectId') subjectId: unknown, @Body() body: unknown): Promise<void> {
    return this.approvals.refuse(by(request), parse(id, subjectId), parse(Why, body).reason);
  }

  /** 202: it waits for the quorum of the version in force; `id` is what they sign. */
  @Post('policies')
  @HttpCode(202)
  propose(@Req() request: FastifyRequest, @Body() body: unknown): Promise<{ id: string; version: number }> {
    return this.policies.propose(by(request), parse(PolicyDraft, body));
  }
}

function by(request: FastifyRequest): string {
  return admitted(request).acting.operatorId;
}
