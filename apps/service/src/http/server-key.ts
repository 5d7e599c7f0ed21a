import { statSync } from 'node:fs';
import { AppError } from '#libs/platform';
import { configured } from './configured-file.js';

const MIN_VERSION = 'TLSv1.2';
const OTHERS = 0o077;

export interface ServerKey {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: typeof MIN_VERSION;
}

/** Certificate chain and key of a listener, PEM. Throws CONFIG_INVALID when a file is missing, or the key is open to others. */
export function serverKey({ certificateFile, keyFile }: { readonly certificateFile: string; readonly keyFile: string }): ServerKey {
  const [cert, key] = [configured(certificateFile), configured(keyFile)];
  if ((statSync(keyFile).mode & OTHERS) !== 0) throw new AppError('CONFIG_INVALID', { file: keyFile, reason: 'the key file is open to others; chmod 600' });
  return { cert, key, minVersion: MIN_VERSION };
}
