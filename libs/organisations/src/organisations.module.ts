import { Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { OrganisationsRepository } from './organisations.repository.js';
import { Organisations } from './organisations.service.js';

@Module({ imports: [JournalModule], providers: [Organisations, OrganisationsRepository], exports: [Organisations] })
export class OrganisationsModule {}
