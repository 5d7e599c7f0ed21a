import { Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { Organisations } from './organisations.service.js';

@Module({ imports: [JournalModule], providers: [Organisations], exports: [Organisations] })
export class OrganisationsModule {}
