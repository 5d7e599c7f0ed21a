import { Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { KeysModule } from '#libs/keys';
import { KeyReleases } from './key-releases.js';
import { Personalisation } from './personalisation.service.js';
import { PsamRepository } from './psam.repository.js';
import { Psam } from './psam.service.js';

/** `Hsm` comes from the app (HsmModule, global). */
@Module({ imports: [JournalModule, KeysModule], providers: [Psam, Personalisation, KeyReleases, PsamRepository], exports: [Psam] })
export class PsamModule {}
