import { Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { KeysRepository } from './keys.repository.js';
import { Keys } from './keys.service.js';

@Module({ imports: [JournalModule], providers: [Keys, KeysRepository], exports: [Keys] })
export class KeysModule {}
