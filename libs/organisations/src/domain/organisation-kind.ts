import type { Bilingual } from '#libs/platform/domain';

/** Who gives out a code. One code stands for one body of its scheme at a time, whatever the body's kind. */
export const CODE_SCHEMES = {
  /** GB/T 2260, 6 digits: province, city, district, two each. */
  region: /^[0-9]{6}$/,
  /** fixmedins_code of the national medical-insurance interface, 12 characters. */
  institution: /^[A-Z0-9]{12}$/,
  /** 终端机编号, 12 digits. */
  terminal: /^[0-9]{12}$/,
  /** The scheme's own name of a data-centre site. */
  site: /^[A-Z0-9][A-Z0-9-]{1,31}$/,
} as const satisfies Record<string, RegExp>;

export type CodeScheme = keyof typeof CODE_SCHEMES;

interface KindRule {
  readonly text: Bilingual;
  readonly scheme: CodeScheme;
  /** Narrower than the scheme's form, where the kind shows in the code. */
  readonly code: RegExp;
  /** Kinds it may stand under; none: it stands under nothing. */
  readonly parents: readonly string[];
  /** Where a parent's code is looked up. */
  readonly parentScheme: CodeScheme | undefined;
}

/**
 * Kinds of bodies, top down. An institution may stand right under a city: some cities have no districts in GB/T 2260
 * (Dongguan 441900, Zhongshan 442000).
 */
export const ORGANISATION_KINDS = {
  city: { text: { zh: '市', en: 'city' }, scheme: 'region', code: /^[0-9]{4}00$/, parents: [], parentScheme: undefined },
  district: { text: { zh: '区县', en: 'district' }, scheme: 'region', code: /^[0-9]{6}(?<!00)$/, parents: ['city'], parentScheme: 'region' },
  institution: { text: { zh: '医药机构', en: 'institution' }, scheme: 'institution', code: CODE_SCHEMES.institution, parents: ['district', 'city'], parentScheme: 'region' },
  servicePoint: { text: { zh: '服务网点', en: 'service point' }, scheme: 'institution', code: CODE_SCHEMES.institution, parents: ['district', 'city'], parentScheme: 'region' },
  site: { text: { zh: '机房', en: 'data-centre site' }, scheme: 'site', code: CODE_SCHEMES.site, parents: ['district', 'city'], parentScheme: 'region' },
  terminal: { text: { zh: '终端', en: 'terminal' }, scheme: 'terminal', code: CODE_SCHEMES.terminal, parents: ['institution', 'servicePoint'], parentScheme: 'institution' },
} as const satisfies Record<string, KindRule>;

export type OrganisationKind = keyof typeof ORGANISATION_KINDS;

export const KIND_NAMES = Object.keys(ORGANISATION_KINDS) as [OrganisationKind, ...OrganisationKind[]];
export const SCHEME_NAMES = Object.keys(CODE_SCHEMES) as [CodeScheme, ...CodeScheme[]];

export const kindRule = (kind: OrganisationKind): KindRule => ORGANISATION_KINDS[kind];

/** What the codes of a region's parts begin with: 110000 → 11, 330100 → 3301, 330106 → 330106. */
export function regionPrefix(region: string): string {
  return region.replace(/(00)+$/, '');
}

/** Whether `code` lies within `region` by GB/T 2260 and is another one. */
export function isWithinRegion(code: string, region: string): boolean {
  return code !== region && code.startsWith(regionPrefix(region));
}
