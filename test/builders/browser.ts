import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';
import { toHex } from '#libs/platform/domain';

/** The size of an old office screen: every page works on it. */
const SCREEN = { width: 1366, height: 768 };
const PICTURES = join(import.meta.dirname, '../../.hufu/test');

export interface SecurityKeyCredential {
  readonly rpId: string | undefined;
  /** Upper-case hex. */
  readonly credentialId: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly signCount: number;
}

/** A virtual security key that verifies its user (WebAuthn 11.2). */
export interface SecurityKey {
  credentials(): Promise<SecurityKeyCredential[]>;
  /** Does as if the user's finger were not recognised, until it is told otherwise. */
  verifiesUser(verifies: boolean): Promise<void>;
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
      credentials: async () =>
        (await this.devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials.map(({ rpId, credentialId, privateKey, signCount }) => ({
          rpId,
          credentialId: toHex(Buffer.from(credentialId, 'base64')),
          publicKey: createPublicKey(createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' })).export({ type: 'spki', format: 'der' }),
          signCount,
        })),
      verifiesUser: async (isUserVerified) => void (await this.devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })),
      remove: async () => void (await this.devtools.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId })),
    };
  }

  /** What stands on the screen now, as a picture under .hufu/test. */
  async picture(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }

  /** Everything that stands in the jar, and what another profile would do with it. */
  cookies(): ReturnType<BrowserContext['cookies']> {
    return this.context.cookies();
  }

  addCookies(cookies: Parameters<BrowserContext['addCookies']>[0]): Promise<void> {
    return this.context.addCookies(cookies);
  }

  leave(): Promise<void> {
    return this.context.close();
  }
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
}
