import { z } from 'zod';
import { CODE_SCHEMES } from './organisation-kind.js';

/** A city, or a district with the code of its city, by GB/T 2260. */
export const Region = z.object({
  code: z.string().regex(CODE_SCHEMES.region),
  name: z.string().min(1).max(200),
  city: z.string().regex(CODE_SCHEMES.region).optional(),
});
export type Region = z.infer<typeof Region>;

/** A hospital or service point. `code`: 12 characters, as in the fixmedins_code of the national interface. */
export const Institution = z.object({
  code: z.string().regex(CODE_SCHEMES.institution),
  name: z.string().min(1).max(200),
  /** GB/T 2260 region, 6 digits. */
  region: z.string().regex(CODE_SCHEMES.region),
});
export type Institution = z.infer<typeof Institution>;

/** A terminal by its number (终端机编号, 12 digits) and the institution where it stands. */
export const Terminal = z.object({
  number: z.string().regex(CODE_SCHEMES.terminal),
  institutionCode: Institution.shape.code,
});
export type Terminal = z.infer<typeof Terminal>;
