import pkcs11js, { type Attribute, type Handle, type KeyPair, type Mechanism, type PKCS11 } from 'pkcs11js';
import { AppError } from '#libs/platform/domain';
import type { VendorProfile } from '../domain/profiles.js';
import { withStringData } from './pointer-parameter.js';

/** Attribute name of PKCS#11 → value. Booleans and numbers become CK_BBOOL and CK_ULONG. */
export type Attributes = Readonly<Partial<Record<AttributeName, number | boolean | string | Uint8Array>>>;
export type AttributeName = Extract<keyof typeof pkcs11js, `CKA_${string}`>;

const FIND_AT_ONCE = 64;

/**
 * A logged-in token and the one session of this agent. Calls are synchronous: one operation at a time, and the supervisor
 * ends the process when one hangs. Calls throw Pkcs11Error, which the agent turns into HSM_ERROR at its edge.
 */
export class Token {
  constructor(
    readonly device: string,
    readonly profile: VendorProfile,
    readonly lib: PKCS11,
    readonly session: Handle,
  ) {}

  create(attributes: Attributes): Handle {
    return this.lib.C_CreateObject(this.session, template(attributes));
  }

  generateKey(mechanism: number, attributes: Attributes): Handle {
    return this.lib.C_GenerateKey(this.session, { mechanism }, template(attributes));
  }

  generateKeyPair(mechanism: number, publicKey: Attributes, privateKey: Attributes): KeyPair {
    return this.lib.C_GenerateKeyPair(this.session, { mechanism }, template(publicKey), template(privateKey));
  }

  /** A derivation whose parameter is CK_KEY_DERIVATION_STRING_DATA. */
  deriveByData(base: Handle, mechanism: number, data: Uint8Array, attributes: Attributes): Handle {
    return withStringData(data, (parameter) => this.lib.C_DeriveKey(this.session, { mechanism, parameter }, base, template(attributes)));
  }

  encrypt(key: Handle, mechanism: Mechanism, data: Uint8Array): Uint8Array {
    this.lib.C_EncryptInit(this.session, mechanism, key);
    return new Uint8Array(this.lib.C_Encrypt(this.session, asBuffer(data), Buffer.alloc(data.length + 16)));
  }

  /** One C_Sign. */
  sign(key: Handle, mechanism: Mechanism, data: Uint8Array, signatureBytes: number): Uint8Array {
    this.lib.C_SignInit(this.session, mechanism, key);
    return new Uint8Array(this.lib.C_Sign(this.session, asBuffer(data), Buffer.alloc(signatureBytes)));
  }

  /** One C_WrapKey. */
  wrap(wrappingKey: Handle, mechanism: Mechanism, key: Handle, bytesAtMost: number): Uint8Array {
    return new Uint8Array(this.lib.C_WrapKey(this.session, mechanism, wrappingKey, key, Buffer.alloc(bytesAtMost)));
  }

  unwrap(unwrappingKey: Handle, mechanism: Mechanism, wrapped: Uint8Array, attributes: Attributes): Handle {
    return this.lib.C_UnwrapKey(this.session, mechanism, unwrappingKey, asBuffer(wrapped), template(attributes));
  }

  find(attributes: Attributes): Handle[] {
    const found: Handle[] = [];
    this.lib.C_FindObjectsInit(this.session, template(attributes));
    try {
      for (;;) {
        const some = this.lib.C_FindObjects(this.session, FIND_AT_ONCE);
        if (some.length === 0) return found;
        found.push(...some);
      }
    } finally {
      this.lib.C_FindObjectsFinal(this.session);
    }
  }

  bytes(object: Handle, name: AttributeName): Uint8Array {
    const [attribute] = this.lib.C_GetAttributeValue(this.session, object, [{ type: pkcs11js[name] as number }]);
    if (attribute === undefined) throw new AppError('HSM_ANSWER_WRONG', { device: this.device, what: name });
    return new Uint8Array(attribute.value);
  }

  /** CK_BBOOL; false where the object has no such attribute. */
  flag(object: Handle, name: AttributeName): boolean {
    try {
      return this.bytes(object, name)[0] === 1;
    } catch (error) {
      if (ckrOf(error) === 'CKR_ATTRIBUTE_TYPE_INVALID') return false;
      throw error;
    }
  }

  /** CK_ULONG. */
  number(object: Handle, name: AttributeName): number {
    return Buffer.from(this.bytes(object, name)).readUInt32LE(0);
  }

  text(object: Handle, name: AttributeName): string {
    return Buffer.from(this.bytes(object, name)).toString('utf8');
  }

  change(object: Handle, attributes: Attributes): void {
    this.lib.C_SetAttributeValue(this.session, object, template(attributes));
  }

  destroy(object: Handle): void {
    this.lib.C_DestroyObject(this.session, object);
  }
}

/** Session objects of one piece of work: all are destroyed at its end, whatever happened. */
export class Temporaries {
  readonly #handles: Handle[] = [];

  constructor(private readonly token: Token) {}

  keep(handle: Handle): Handle {
    this.#handles.push(handle);
    return handle;
  }

  destroyAll(): void {
    for (const handle of this.#handles.splice(0).reverse()) {
      try {
        this.token.destroy(handle);
      } catch {
        // The session is gone, and its objects with it; the first error is the one that counts.
      }
    }
  }
}

export function withTemporaries<T>(token: Token, work: (temporaries: Temporaries) => T): T {
  const temporaries = new Temporaries(token);
  try {
    return work(temporaries);
  } finally {
    temporaries.destroyAll();
  }
}

/** The CKR name of an error of pkcs11js, else undefined. */
export function ckrOf(error: unknown): string | undefined {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? /\bCKR_[A-Z0-9_]+/.exec(message)?.[0] : undefined;
}

function template(attributes: Attributes): Attribute[] {
  return Object.entries(attributes).map(([name, value]) => ({
    type: pkcs11js[name as AttributeName] as number,
    value: typeof value === 'object' ? asBuffer(value) : value,
  }));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
