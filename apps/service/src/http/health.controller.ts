import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { type DeviceStatus, Hsm } from '#libs/hsm';
import { type Bilingual, ERROR_TEXTS, GuardedClock, isAppError } from '#libs/platform';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly text: Bilingual;
}

@Controller('health')
export class HealthController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly hsm: Hsm,
    private readonly clock: GuardedClock,
  ) {}

  /** The process answers. */
  @Get('live')
  live(): { ok: true } {
    return { ok: true };
  }

  /** It can serve: the database answers, the clock is believed and every device is up. 503 otherwise, and the page says what is wrong. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<{ ok: boolean; checks: Check[] }> {
    const checks = [await this.database(), this.time(), ...(await this.devices())];
    const ok = checks.every((check) => check.ok);
    reply.code(ok ? 200 : 503);
    return { ok, checks };
  }

  private async database(): Promise<Check> {
    try {
      await this.dataSource.query('SELECT 1');
      return { name: 'database', ok: true, text: { zh: '数据库正常', en: 'The database answers' } };
    } catch {
      return { name: 'database', ok: false, text: ERROR_TEXTS.DATABASE_UNREACHABLE.next };
    }
  }

  private time(): Check {
    const fault = this.clock.fault();
    return fault === undefined ? { name: 'clock', ok: true, text: { zh: '时钟可信', en: 'The clock is believed' } } : { name: 'clock', ok: false, text: ERROR_TEXTS[fault.code].next };
  }

  private async devices(): Promise<Check[]> {
    try {
      return (await this.hsm.devices()).map(deviceCheck);
    } catch (error) {
      const code = isAppError(error) ? error.code : 'HSM_UNREACHABLE';
      return [{ name: 'hsm', ok: false, text: ERROR_TEXTS[code].next }];
    }
  }
}

function deviceCheck(device: DeviceStatus): Check {
  const ok = device.state === 'up';
  return {
    name: `device ${device.device}`,
    ok,
    text: ok ? { zh: '密码机正常', en: 'The device is up' } : { zh: `密码机状态：${device.state}`, en: `The device is ${device.state}` },
  };
}
