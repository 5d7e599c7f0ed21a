import pkcs11js, { type Attribute, type Handle, type KeyPair, type Mechanism, type PKCS11 } from 'pkcs11js';
import { AppError } from '#libs/platform/domain';
import type { Capabilities } from '../domain/capabilities.js';
import { ckrName } from '../domain/pkcs11-errors.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import { native } from './native.js';

/** Attribute name of PKCS#11 → value. Booleans and numbers become CK_BBOOL and CK_ULONG. */
export type Attributes = Readonly<Partial<Record<AttributeName, number | boolean | string | Uint8Array>>>;
export type AttributeName = Extract<keyof typeof pkcs11js, `CKA_${string}`>;

const FIND_AT_ONCE = 64;

/**
 * A logged-in token and the session that set-up uses, which stays open for life: while it is, the login of the process
 * stands. Calls are synchronous, and the supervisor ends the process when one hangs; batches and signatures run in the
 * executor instead. Calls throw Pkcs11Error, which the agent turns into HSM_ERROR at its edge.
 */
export class Token {
  constructor(
    readonly device: string,
    readonly profile: VendorProfile,
    readonly capabilities: Capabilities,
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

  /** One C_WrapKey. */
  wrap(wrappingKey: Handle, mechanism: Mechanism, key: Handle, bytesAtMost: number): Uint8Array {
    return new Uint8Array(this.lib.C_WrapKey(this.session, mechanism, wrappingKey, key, Buffer.alloc(bytesAtMost)));
  }

  unwrap(unwrappingKey: Handle, mechanism: Mechanism, wrapped: Uint8Array, attributes: Attributes): Handle {
    return this.lib.C_UnwrapKey(this.session, mechanism, unwrappingKey, asBuffer(wrapped), template(attributes));
  }

  derive(from: Handle, mechanism: Mechanism, attributes: Attributes): Handle {
    return this.lib.C_DeriveKey(this.session, mechanism, from, template(attributes));
  }

  /** One C_SignInit and C_Sign. */
  sign(key: Handle, mechanism: number, data: Uint8Array, bytesAtMost: number): Uint8Array {
    this.lib.C_SignInit(this.session, { mechanism }, key);
    return new Uint8Array(this.lib.C_Sign(this.session, asBuffer(data), Buffer.alloc(bytesAtMost)));
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

  /** Several attributes of an object that surely has them, in one call. */
  all(object: Handle, names: readonly AttributeName[]): Uint8Array[] {
    return this.lib
      .C_GetAttributeValue(this.session, object, names.map((name) => ({ type: pkcs11js[name] as number })))
      .map(({ value }) => new Uint8Array(value));
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

export async function withTemporaries<T>(token: Token, work: (temporaries: Temporaries) => T | Promise<T>): Promise<T> {
  const temporaries = new Temporaries(token);
  try {
    return await work(temporaries);
  } finally {
    temporaries.destroyAll();
  }
}

/** The CKR name of an error of pkcs11js or of the executor, else undefined. */
export function ckrOf(error: unknown): string | undefined {
  const { ckr, code, message } = (error ?? {}) as { ckr?: unknown; code?: unknown; message?: unknown };
  if (typeof ckr === 'number') return ckr === 0 ? undefined : ckrName(ckr);
  const named = typeof message === 'string' ? /\bCKR_[A-Z0-9_]+/.exec(message)?.[0] : undefined;
  return named ?? (error instanceof Error && error.name === 'Pkcs11Error' && typeof code === 'number' ? ckrName(code) : undefined);
}

/** CK_SLOT_ID or CK_OBJECT_HANDLE of pkcs11js as a number: 8 bytes in the order of the machine, which is little-endian. */
export function handleNumber(handle: Handle): bigint {
  return handle.readBigUInt64LE(0);
}

/** The value of CKA_UNWRAP_TEMPLATE and its like: what the device imposes on each key made from this one. Flags only. */
export function imposed(flags: Readonly<Partial<Record<AttributeName, boolean>>>): Uint8Array {
  return native.attributeArray(Object.entries(flags).map(([name, on]) => ({ type: pkcs11js[name as AttributeName] as number, value: Uint8Array.of(on ? 1 : 0) })));
}

function template(attributes: Attributes): Attribute[] {
  return Object.entries(attributes).map(([name, value]) => ({
    type: pkcs11js[name as AttributeName] as number,
    value: typeof value === 'object' ? asBuffer(value) : value,
  }));
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
