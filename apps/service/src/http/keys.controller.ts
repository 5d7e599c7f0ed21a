import { Body, Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type DiversificationClass, KEY_CLASSES } from '#libs/hsm';
import { type KeyFailure, type KeyRecord, Keys, Stops } from '#libs/keys';
import { admitted } from './operator-guard.js';
import { parse } from './parsed.js';

const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9/._-]{0,63}$/, 'letters, digits and / . _ -');
const NewRoot = z.strictObject({
  label,
  keyClass: z.enum(Object.entries(KEY_CLASSES).flatMap(([name, rule]) => (rule.kind === 'diversification' ? [name as DiversificationClass] : []))),
  algorithm: z.enum(['3des2', 'aes128', 'sm4']),
  device: z.string().min(1).max(64),
});
const rule = z.string().min(1).max(64);
const Stop = z.strictObject({ rule, reason: z.string().trim().min(1).max(500) });
const Start = z.strictObject({ rule });

/** What the register says of a key; no value, and of a pair the public half is left to certificates. */
interface KeyView {
  readonly keyId: string;
  readonly label: string;
  readonly keyClass: string;
  readonly algorithm: string;
  readonly state: string;
  readonly kcv: string | null;
  readonly fingerprint: string | null;
  readonly copies: KeyRecord['copies'];
  /** Why making it failed; null while nothing did. */
  readonly failure?: KeyFailure | null;
}

/** Roots are asked for here and made when their quorum has signed. One person stops a rule, a quorum starts it. */
@Controller()
export class KeysController {
  constructor(
    private readonly keys: Keys,
    private readonly stops: Stops,
  ) {}

  @Get('keys')
  async list(): Promise<KeyView[]> {
    return (await this.keys.list()).map(shown);
  }

  @Get('keys/:keyLabel')
  async get(@Param('keyLabel') keyLabel: unknown): Promise<KeyView> {
    const key = await this.keys.get(parse(label, keyLabel));
    return { ...shown(key), failure: (await this.keys.failure(key.keyId)) ?? null };
  }

  /** 202: the intent stands, the approvers are asked. */
  @Post('keys')
  @HttpCode(202)
  async generate(@Body() body: unknown): Promise<{ label: string }> {
    return { label: (await this.keys.requestRoot(parse(NewRoot, body))).label };
  }

  @Post('stops')
  @HttpCode(204)
  stop(@Req() request: FastifyRequest, @Body() body: unknown): Promise<void> {
    const asked = parse(Stop, body);
    return this.stops.stop(asked.rule, by(request), asked.reason);
  }

  /** 202: it waits for the quorum of the rule `start`. */
  @Post('starts')
  @HttpCode(202)
  async start(@Req() request: FastifyRequest, @Body() body: unknown): Promise<{ rule: string }> {
    const asked = parse(Start, body);
    await this.stops.askToStart(asked.rule, by(request));
    return { rule: asked.rule };
  }
}

function shown({ keyId, label: name, keyClass, algorithm, state, kcv, fingerprint, copies }: KeyRecord): KeyView {
  return { keyId, label: name, keyClass, algorithm, state, kcv: kcv ?? null, fingerprint: fingerprint ?? null, copies };
}

function by(request: FastifyRequest): string {
  return admitted(request).acting.operatorId;
}
