/** A text that a person reads, with the name of its row. */
export interface NamedText {
  readonly name: string;
  readonly zh: string;
  readonly en: string;
}

/** What is wrong with a pair of texts: a missing half, a half in the other's language, or different `{placeholders}`. */
export function textFaults(texts: readonly NamedText[]): string[] {
  return texts.flatMap(({ name, zh, en }) => [
    ...(zh.trim() === '' ? [`${name}: no zh`] : []),
    ...(en.trim() === '' ? [`${name}: no en`] : []),
    ...(isTemplateOnly(zh) || /\p{Script=Han}/u.test(zh) ? [] : [`${name}: zh without a Chinese word`]),
    ...(/\p{Script=Han}/u.test(en) ? [`${name}: en holds Chinese`] : []),
    ...(placeholders(zh) === placeholders(en) ? [] : [`${name}: placeholders differ`]),
  ]);
}

/** `{action}`: the whole text comes from the error's details. */
function isTemplateOnly(text: string): boolean {
  return /^\{\w+\}$/.test(text);
}

/** `{causeZh}` and `{causeEn}`, `{zh}` and `{en}` are the halves of one detail. */
function placeholders(text: string): string {
  const names = (text.match(/\{\w+\}/g) ?? []).map((name) => name.replace(/(?:Zh|En)\}$/, '}').replace(/^\{(?:zh|en)\}$/, '{}'));
  return [...new Set(names)].sort().join();
}
