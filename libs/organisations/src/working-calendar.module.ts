import { type DynamicModule, Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { CalendarFiles } from './calendar-files.js';
import { WorkingCalendar } from './working-calendar.service.js';

/** Global: there is one calendar, and the rooms that ask it need not know where its files are. */
@Module({})
export class WorkingCalendarModule {
  /** `calendarsDir`: the folder of yearly files (libs/organisations/calendars in the checkout). */
  static forRoot(options: { readonly calendarsDir: string }): DynamicModule {
    return {
      module: WorkingCalendarModule,
      global: true,
      imports: [JournalModule],
      providers: [WorkingCalendar, { provide: CalendarFiles, useFactory: () => CalendarFiles.load(options.calendarsDir) }],
      exports: [WorkingCalendar],
    };
  }
}
