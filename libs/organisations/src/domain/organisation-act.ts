import { z } from 'zod';
import { KIND_NAMES } from './organisation-kind.js';

const kind = z.enum(KIND_NAMES);
const code = z.string().min(1).max(32);
const name = z.string().trim().min(1).max(200);
const effectiveAt = z.date();

/** Enters a body. `parent`: the code of the body it stands under. `reissue`: the code is known to have been another body's before. */
export const Registration = z.strictObject({ kind, code, name, parent: code.optional(), effectiveAt, reissue: z.boolean().default(false) });
export type Registration = z.infer<typeof Registration>;

/** What can be done with a body, which is named by its kind and its code at `effectiveAt`. */
export const OrganisationAct = z.discriminatedUnion('act', [
  Registration.extend({ act: z.literal('register') }),
  z.strictObject({ act: z.literal('rename'), kind, code, name, effectiveAt }),
  /** `newCode`: a district that goes to another city gets a new one of GB/T 2260. */
  z.strictObject({ act: z.literal('move'), kind, code, parent: code, newCode: code.optional(), effectiveAt, reissue: z.boolean().default(false) }),
  /** The body stays, its code changes; the old one goes on standing for it until it is ended. */
  z.strictObject({ act: z.literal('recode'), kind, code, newCode: code, effectiveAt, reissue: z.boolean().default(false) }),
  z.strictObject({ act: z.literal('close'), kind, code, effectiveAt }),
  /** Into another body of its kind, which takes over what stands under it. */
  z.strictObject({ act: z.literal('merge'), kind, code, into: code, effectiveAt }),
  /** A replaced code, or the code of a merged body, stands for nobody any more. */
  z.strictObject({ act: z.literal('endCode'), kind, code, effectiveAt }),
]);
export type OrganisationAct = z.infer<typeof OrganisationAct>;
