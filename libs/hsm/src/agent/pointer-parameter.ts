import koffi from 'koffi';

const SCRATCH_BYTES = 256;
/** An ArrayBuffer's store lies outside the collected heap and stays where it is as long as it is referenced: for ever, here. */
const scratch = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
const scratchAddress = BigInt(koffi.address(scratch));

/**
 * Gives `use` a CK_KEY_DERIVATION_STRING_DATA {CK_BYTE_PTR pData; CK_ULONG ulLen} (PKCS#11 v2.40, 2.43) that points to a copy
 * of `data`; pkcs11js has no type for it. The structure is 16 bytes on every LP64 machine, little-endian on those that Node
 * runs on. `use` must be synchronous: the copy is overwritten by the next call and wiped at the end. A wrong address here
 * ends the agent by SIGSEGV, so this is the only function of the product that takes one.
 */
export function withStringData<T>(data: Uint8Array, use: (parameter: Buffer) => T): T {
  if (data.length > SCRATCH_BYTES) throw new RangeError(`derivation data of ${data.length} bytes`);
  scratch.set(data);
  const parameter = Buffer.alloc(16);
  parameter.writeBigUInt64LE(scratchAddress, 0);
  parameter.writeBigUInt64LE(BigInt(data.length), 8);
  try {
    return use(parameter);
  } finally {
    scratch.fill(0, 0, data.length);
  }
}
