export type ClientCertificateStatus = 'good' | 'revoked' | 'expired' | 'unknown';

/** Whether a client certificate counts at a moment. The room of certificates answers; the app binds it. */
export abstract class CertificateStatus {
  /** `certificate`: DER. Unknown: not issued by an authority of this scheme. */
  abstract statusOf(certificate: Uint8Array, at: Date): Promise<ClientCertificateStatus>;
}
