/**
 * What a word is when runs are searched by free text: runs of letters and digits, in lower case, and those that `-`, `.`, `_`
 * or `@` join (`ord-17`, `ada@example.com`, ids, dates), which count as a whole and as their parts. One rule for what is indexed,
 * for what is not indexed yet, and for what is asked. Pure.
 */

/** A word that is asked for; with `prefix` words that begin so are enough. */
export interface SearchWord {
  readonly text: string;
  readonly prefix: boolean;
}

/** Longer words are told apart by so many characters. */
const wordMax = 100;

/** Calls back with each word of a text, as often as it occurs. */
export function eachWord(text: string, visit: (word: string) => void): void {
  scan(text, false, (lower, bounds, parts) => visitAll(lower, bounds, parts, visit));
}

/** The same of JSON as it is written, names included: nothing is parsed. */
export function eachWordOfJson(json: string, visit: (word: string) => void): void {
  scan(json, true, (lower, bounds, parts) => visitAll(lower, bounds, parts, visit));
}

/**
 * The words that must occur for what a caller has written; what joined words belong to is not asked for apart.
 *
 * @param words between spaces; one that ends in `*` is the beginning of a word
 * @example searchWordsOf(['Ada', 'ord-1*']) // [{ text: 'ada', prefix: false }, { text: 'ord-1', prefix: true }]
 */
export function searchWordsOf(words: readonly string[]): SearchWord[] {
  const wanted = new Map<string, SearchWord>();
  for (const word of words) {
    const prefix = word.endsWith('*');
    const text = word.replace(/\*+$/, '').toWellFormed();
    scan(text, false, (lower, bounds, parts) => {
      const end = bounds[2 * parts - 1] ?? 0;
      const whole = cut(lower, bounds[0] ?? 0, end);
      const joined = end === lower.length - 1 && kindAt(lower, end) === joins;
      if (prefix && (joined || end === lower.length)) {
        // `ord-*` is not `ord*`.
        const begins = joined ? `${whole}${lower[end]}` : whole;
        wanted.set(`${begins}*`, { text: begins, prefix });
      } else wanted.set(whole, { text: whole, prefix: false });
    });
  }
  return [...wanted.values()];
}

/** Whether all of the words occur. @param documents JSON, several beside each other */
export function hasWords(wanted: readonly SearchWord[], text: string, documents: string): boolean {
  const missing = new Set(wanted);
  const exact = new Map(wanted.filter(({ prefix }) => !prefix).map((word) => [word.text, word]));
  const prefixes = wanted.filter(({ prefix }) => prefix);
  const visit = (word: string): void => {
    const found = exact.get(word);
    if (found !== undefined) missing.delete(found);
    for (const prefix of prefixes) if (word.startsWith(prefix.text)) missing.delete(prefix);
  };
  eachWord(text, visit);
  if (missing.size > 0) eachWordOfJson(documents, visit);
  return missing.size === 0;
}

const separates = 0;
const letter = 1;
const joins = 2;

const asciiKinds = Uint8Array.from({ length: 128 }, (_each, code) => {
  const sign = String.fromCharCode(code);
  if (/[0-9A-Za-z]/.test(sign)) return letter;
  return /[-._@]/.test(sign) ? joins : separates;
});

function kindAt(text: string, at: number): number {
  if (at >= text.length) return separates;
  const code = text.charCodeAt(at);
  if (code < 128) return asciiKinds[code] ?? separates;
  return isPunctuation(code) ? separates : letter;
}

/** Latin-1 signs, general and ideographic punctuation, and full-width forms of ASCII signs; all else beyond ASCII are letters. */
function isPunctuation(code: number): boolean {
  if (code < 0xc0) return code !== 0xaa && code !== 0xb5 && code !== 0xba;
  if (code < 0x2000) return code === 0xd7 || code === 0xf7;
  return (
    code <= 0x206f ||
    (code >= 0x3000 && code <= 0x303f) ||
    (code >= 0xff01 && code <= 0xff0f) ||
    (code >= 0xff1a && code <= 0xff20) ||
    (code >= 0xfff0 && code <= 0xffff)
  );
}

/**
 * Calls back with each word, joined ones as a whole: `bounds` has where its parts begin and end, `parts` says how many.
 * An escape of JSON stands between words.
 */
function scan(
  text: string,
  json: boolean,
  found: (lower: string, bounds: readonly number[], parts: number) => void,
): void {
  const lower = text.toLowerCase();
  const bounds: number[] = [];
  let parts = 0;
  let begin = -1;
  for (let at = 0; at <= lower.length; at += 1) {
    const kind = kindAt(lower, at);
    if (kind === letter) {
      if (begin < 0) begin = at;
      continue;
    }
    if (begin >= 0) {
      bounds[2 * parts] = begin;
      bounds[2 * parts + 1] = at;
      parts += 1;
      begin = -1;
      if (kind === joins && kindAt(lower, at + 1) === letter) continue;
      found(lower, bounds, parts);
      parts = 0;
    }
    if (json && lower.charCodeAt(at) === backslash) at += lower.charCodeAt(at + 1) === hexEscape ? 5 : 1;
  }
}

const backslash = 0x5c;
const hexEscape = 0x75;

function visitAll(
  lower: string,
  bounds: readonly number[],
  parts: number,
  visit: (word: string) => void,
): void {
  const whole = cut(lower, bounds[0] ?? 0, bounds[2 * parts - 1] ?? 0);
  visit(whole);
  // Nobody looks for a part of a UUID, and there are many.
  if (parts === 1 || (parts === 5 && uuid.test(whole))) return;
  for (let part = 0; part < parts; part += 1)
    visit(cut(lower, bounds[2 * part] ?? 0, bounds[2 * part + 1] ?? 0));
}

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

function cut(lower: string, begin: number, end: number): string {
  if (end - begin <= wordMax) return lower.slice(begin, end);
  const last = lower.charCodeAt(begin + wordMax - 1);
  // Not within a character.
  return lower.slice(begin, begin + wordMax - (last >= 0xd800 && last < 0xdc00 ? 1 : 0));
}
