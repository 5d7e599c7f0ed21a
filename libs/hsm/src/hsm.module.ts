import { type DynamicModule, Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { Hsm } from './hsm.js';
import type { Authoriser } from './authoriser.js';
import { SupervisorHsm } from './supervisor-hsm.js';

export interface HsmOptions {
  /** The supervisor's socket of this process's client name. */
  readonly socket: string;
  /** Where approvals and tickets come from; a client without one can do nothing that needs them. */
  readonly authoriser?: Authoriser;
}

@Injectable()
class HsmConnection implements OnModuleDestroy {
  constructor(@Inject(Hsm) private readonly hsm: SupervisorHsm) {}

  onModuleDestroy(): void {
    this.hsm.close();
  }
}

/** Gives a process the port `Hsm` over its own socket. Global, imported once by an app. */
@Module({})
export class HsmModule {
  static forRoot(options: HsmOptions): DynamicModule {
    return {
      module: HsmModule,
      global: true,
      providers: [{ provide: Hsm, useFactory: () => new SupervisorHsm(options.socket, { authoriser: options.authoriser }) }, HsmConnection],
      exports: [Hsm],
    };
  }
}
