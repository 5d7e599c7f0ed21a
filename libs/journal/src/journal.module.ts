import { Module } from '@nestjs/common';
import { Journal } from './journal.service.js';
import { JournalKeys } from './journal-keys.js';
import { TrustedTime } from './trusted-time.js';

@Module({ providers: [Journal, TrustedTime], exports: [Journal, TrustedTime] })
export class JournalModule {}

/** For the one process that makes log keys: it has the port `Hsm` and the right to generate. */
@Module({ imports: [JournalModule], providers: [JournalKeys], exports: [JournalKeys] })
export class JournalKeysModule {}
