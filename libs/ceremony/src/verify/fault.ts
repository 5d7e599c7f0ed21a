import { type AppError, type Bilingual, ERROR_TEXTS } from '#libs/platform/domain';

/** What can be wrong with a bundle. The text names what a person may conclude. */
export const BUNDLE_FAULTS = {
  chain: { zh: '记录被修改、缺失或次序改动', en: 'the transcript was edited, shortened or reordered' },
  rule: { zh: '违反作业规则', en: 'against the rules of the ceremony' },
  signature: { zh: '签名无效', en: 'a signature does not hold' },
  script: { zh: '脚本不是作业所用的脚本', en: 'not the script of the ceremony' },
  rehearsal: { zh: '演练不能作为正式作业', en: 'a rehearsal is no real ceremony, nor the other way round' },
  unfinished: { zh: '作业未结束或未签署', en: 'the ceremony is not closed and signed' },
  file: { zh: '证据文件缺失、多余或被修改', en: 'a file is missing, foreign or changed' },
  manifest: { zh: '清单与记录不一致', en: 'the manifest is not that of this transcript' },
  malformed: { zh: '格式错误', en: 'malformed' },
} as const satisfies Record<string, Bilingual>;
export type BundleFaultKind = keyof typeof BUNDLE_FAULTS;

export interface BundleFault {
  readonly kind: BundleFaultKind;
  /** The first bad thing: `event 17`, `files/seal.jpg`, `manifest.json`. */
  readonly at: string;
  readonly detail: Bilingual;
}

/** Ends a verification: what comes after the first fault proves nothing. */
export class BundleFaultFound extends Error {
  constructor(readonly fault: BundleFault) {
    super(`${fault.at}: ${fault.kind}`);
  }
}

export const plain = (text: string): Bilingual => ({ zh: text, en: text });

const KINDS: readonly { readonly code: RegExp; readonly kind: BundleFaultKind }[] = [
  { code: /^CEREMONY_CHAIN_BROKEN$/, kind: 'chain' },
  { code: /^(APPROVAL_|QUORUM_NOT_MET|CEREMONY_SIGNER_WRONG)/, kind: 'signature' },
  { code: /^CEREMONY_SCRIPT_INVALID$/, kind: 'script' },
  { code: /^CEREMONY_EVENT_MALFORMED$/, kind: 'malformed' },
];

/** A refusal of the rules as a fault; its text is the one that the front would have shown. */
export function faultOf(at: string, { code, details }: AppError): BundleFault {
  const filled = (template: string): string => template.replace(/\{(\w+)\}/g, (whole, name: string) => (details[name] === undefined ? whole : [details[name]].flat().join(', ')));
  const { text } = ERROR_TEXTS[code];
  return { kind: KINDS.find((row) => row.code.test(code))?.kind ?? 'rule', at, detail: { zh: filled(text.zh), en: filled(text.en) } };
}
