import { CertificateStatus } from '#libs/access';

/** For apps without the room of certificates: nobody signs in by one. */
export class NoCertificates extends CertificateStatus {
  override async statusOf(): Promise<'unknown'> {
    return 'unknown';
  }
}
