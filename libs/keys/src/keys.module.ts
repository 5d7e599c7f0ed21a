import { Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { KeysRepository } from './keys.repository.js';
import { Keys } from './keys.service.js';
import { PinLogins } from './pin-logins.service.js';
import { Stops } from './stops.service.js';

@Module({ imports: [JournalModule], providers: [Keys, KeysRepository, PinLogins, Stops], exports: [Keys, PinLogins, Stops] })
export class KeysModule {}
