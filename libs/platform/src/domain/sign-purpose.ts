/**
 * What a signing key may sign. A key is bound to one purpose when it is made; the device agent parses the bytes and
 * refuses any other structure under that key.
 */
export const SIGN_PURPOSES = ['tbsCertificate', 'tbsCrl', 'ocspResponse', 'report', 'checkpoint'] as const;
export type SignPurpose = (typeof SIGN_PURPOSES)[number];
