export { MAX_REQUEST_BYTES as MAX_OCSP_REQUEST_BYTES } from './domain/ocsp-request.js';
export * from './ocsp.module.js';
export * from './ocsp-responder.js';
