import { Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { CardHistory } from './card-history.js';
import { CardsRepository } from './cards.repository.js';
import { Cards } from './cards.service.js';

@Module({ imports: [JournalModule], providers: [CardsRepository, Cards, CardHistory], exports: [Cards, CardHistory] })
export class CardsModule {}
