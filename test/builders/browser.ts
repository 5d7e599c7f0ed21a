import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';

/** The size of an old office screen: every page works on it. */
const SCREEN = { width: 1366, height: 768 };
const PICTURES = join(import.meta.dirname, '../../.hufu/test');

/** A virtual security key that verifies its user (WebAuthn 11.2). */
export interface SecurityKey {
  credentials(): Promise<{ readonly credentialId: string; readonly signCount: number }[]>;
  remove(): Promise<void>;
}

/** A person at a browser: one profile, its windows, and the authenticators that are inserted. */
export class BrowserPerson {
  private constructor(
    private readonly context: BrowserContext,
    readonly page: Page,
    private readonly devtools: CDPSession,
  ) {}

  static async sitDown(browser: Browser): Promise<BrowserPerson> {
    const context = await browser.newContext({ viewport: SCREEN, ignoreHTTPSErrors: true, locale: 'zh-CN', timezoneId: 'Asia/Shanghai' });
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    return new BrowserPerson(context, page, devtools);
  }

  async insertSecurityKey(): Promise<SecurityKey> {
    const options = { protocol: 'ctap2', transport: 'usb', hasResidentKey: false, hasUserVerification: true, isUserVerified: true } as const;
    const { authenticatorId } = await this.devtools.send('WebAuthn.addVirtualAuthenticator', { options });
    return {
      credentials: async () => (await this.devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
      remove: async () => void (await this.devtools.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId })),
    };
  }

  /** What stands on the screen now, as a picture under .hufu/test. */
  async picture(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }

  cookies(): ReturnType<BrowserContext['cookies']> {
    return this.context.cookies();
  }

  leave(): Promise<void> {
    return this.context.close();
  }
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
}
