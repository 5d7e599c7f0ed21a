import { z } from 'zod';

/** A hospital or service point. `code`: 12 characters, as in the fixmedins_code of the national interface. */
export const Institution = z.object({
  code: z.string().regex(/^[A-Z0-9]{12}$/),
  name: z.string().min(1).max(200),
  /** GB/T 2260 region, 6 digits. */
  region: z.string().regex(/^[0-9]{6}$/),
});
export type Institution = z.infer<typeof Institution>;

/** A terminal by its number (终端机编号, 12 digits) and the institution where it stands. */
export const Terminal = z.object({
  number: z.string().regex(/^[0-9]{12}$/),
  institutionCode: Institution.shape.code,
});
export type Terminal = z.infer<typeof Terminal>;
