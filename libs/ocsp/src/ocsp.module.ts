import { Module } from '@nestjs/common';
import { CertificateHistoryModule } from '#libs/pki';
import { OcspResponder } from './ocsp-responder.js';

/** Needs `Hsm` (HsmModule) and the platform's Clock and Logger. */
@Module({ imports: [CertificateHistoryModule], providers: [OcspResponder], exports: [OcspResponder] })
export class OcspModule {}
