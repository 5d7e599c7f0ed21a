import { Module } from '@nestjs/common';
import { Journal } from './journal.service.js';
import { JournalKeys } from './journal-keys.js';

@Module({ providers: [Journal], exports: [Journal] })
export class JournalModule {}

/** For the one process that makes log keys: it has the port `Hsm` and the right to generate. */
@Module({ imports: [JournalModule], providers: [JournalKeys], exports: [JournalKeys] })
export class JournalKeysModule {}
