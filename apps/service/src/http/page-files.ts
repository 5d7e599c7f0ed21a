import { hash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '#libs/platform';
import { configured } from './configured-file.js';

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' } as const;

/** Everything that is served, by name: a file that lies beside these is not. */
const PAGES = ['sign-in.html', 'enrol.html', 'approve.html'] as const;
const PARTS = [
  'page.css',
  'sign-in.js',
  'enrol.js',
  'approve.js',
  'api.js',
  'approval.js',
  'bytes.js',
  'canonical-json.js',
  'page.js',
  'proof-key.js',
  'subject-lines.js',
  'ukey.js',
  'webauthn.js',
] as const;

export type PageName = (typeof PAGES)[number];

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
  /** Strong entity tag (RFC 9110 8.8.3). */
  readonly tag: string;
}

/** The files of the pages, read once at the start: what is served later is what was there then. */
export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files;
  }

  /** Throws CONFIG_INVALID when one is missing. */
  static load(folder: string): PageFiles {
    return new PageFiles(new Map([...PAGES, ...PARTS].map((name) => [name, load(join(folder, name))])));
  }

  page(name: PageName): PageFile {
    return this.#of(name);
  }

  /** Throws NOT_FOUND; the pages themselves have addresses of their own. */
  part(name: string): PageFile {
    if (!(PARTS as readonly string[]).includes(name)) throw new AppError('NOT_FOUND', { what: name.slice(0, 64) });
    return this.#of(name);
  }

  #of(name: string): PageFile {
    const file = this.#files.get(name);
    if (file === undefined) throw new AppError('NOT_FOUND', { what: name });
    return file;
  }
}

function load(file: string): PageFile {
  const bytes = configured(file);
  const ending = file.slice(file.lastIndexOf('.') + 1) as keyof typeof TYPES;
  return { type: TYPES[ending], bytes, tag: `"${hash('sha256', bytes, 'base64url')}"` };
}
