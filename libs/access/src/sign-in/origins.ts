import { Injectable } from '@nestjs/common';
import { AppError } from '#libs/platform';
import type { CREDENTIAL_PURPOSES } from '../domain/record.js';
import { AccessTerms } from '../access-terms.js';

type Purpose = (typeof CREDENTIAL_PURPOSES)[number];

/** Where browsers reach the service, and under which relying party ids. */
@Injectable()
export class Origins {
  private port: number | undefined;
  private certificateOrigin: string | undefined;

  constructor(private readonly terms: AccessTerms) {}

  /** Origins that are not configured follow the ports, known once the service listens; `certificate`: where client certificates are asked for. */
  listeningOn(port: number, certificate?: string): void {
    this.port = port;
    this.certificateOrigin = certificate;
  }

  /** Where a request may have been sent to. Throws CONFIG_INVALID before the port is known. */
  all(): string[] {
    const certificate = this.certificate();
    return [this.console(), this.approve(), ...(certificate === undefined ? [] : [certificate])];
  }

  console(): string {
    return this.terms.config.signIn.origins?.console ?? this.local('signIn');
  }

  approve(): string {
    return this.terms.config.signIn.origins?.approve ?? this.local('approve');
  }

  /** Undefined: client certificates are not asked for anywhere. */
  certificate(): string | undefined {
    return this.terms.config.signIn.origins?.certificate ?? this.certificateOrigin;
  }

  /** Pages on which a credential of this purpose may be made and used. */
  of(purpose: Purpose): string[] {
    return purpose === 'approve' ? [this.approve()] : [this.console(), this.approve()];
  }

  rpId(purpose: Purpose): string {
    return this.terms.config.signIn.rpIds[purpose];
  }

  private local(purpose: Purpose): string {
    if (this.port === undefined) throw new AppError('CONFIG_INVALID', { file: 'service.json', reason: 'access.signIn.origins: not given, and the service does not listen yet' });
    return `http://${this.rpId(purpose)}:${this.port}`;
  }
}
