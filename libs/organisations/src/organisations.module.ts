import { Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { ConnectedDevicesRepository } from './connected-devices.repository.js';
import { ConnectedDevices } from './connected-devices.service.js';
import { OrganisationsRepository } from './organisations.repository.js';
import { Organisations } from './organisations.service.js';

@Module({
  imports: [JournalModule],
  providers: [Organisations, OrganisationsRepository, ConnectedDevices, ConnectedDevicesRepository],
  exports: [Organisations, ConnectedDevices],
})
export class OrganisationsModule {}
