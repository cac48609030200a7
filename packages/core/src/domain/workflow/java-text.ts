/**
 * JSON values as texts the way Conductor's Java shows them: `{a=1, b=[x, null]}`. For values inside of texts of `${…}`, and
 * for summaries. Pure; bounded in length, no recursion.
 */

/**
 * The text of a value: texts as they are, null as `null`, objects and lists as `Map.toString()` and `List.toString()`
 * write them.
 *
 * @param maxLength How long it may be, in characters; more is cut off, and the caller sees it by the length
 * @example javaText({ a: 1, b: ['x', null] }, 1_000) // '{a=1, b=[x, null]}'
 */
export function javaText(value: unknown, maxLength: number): string {
  if (typeof value === 'string') return value.slice(0, maxLength);
  if (typeof value !== 'object' || value === null) return scalarText(value);
  const parts: string[] = [];
  let length = 0;
  // What is still to be written, the last first: texts, and values in a box.
  const waiting: (string | { readonly value: unknown })[] = [{ value }];
  for (let next = waiting.pop(); next !== undefined && length <= maxLength; next = waiting.pop()) {
    if (typeof next !== 'string' && typeof next.value === 'object' && next.value !== null)
      for (const piece of pieces(next.value).reverse()) waiting.push(piece);
    else {
      const text = typeof next === 'string' ? next : scalarText(next.value);
      parts.push(text);
      length += text.length;
    }
  }
  return parts.join('').slice(0, maxLength);
}

function pieces(value: object): (string | { readonly value: unknown })[] {
  const isList = Array.isArray(value);
  const found: (string | { readonly value: unknown })[] = [isList ? '[' : '{'];
  for (const [name, item] of Object.entries(value)) {
    if (found.length > 1) found.push(', ');
    if (!isList) found.push(`${name}=`);
    found.push({ value: item });
  }
  found.push(isList ? ']' : '}');
  return found;
}

function scalarText(value: unknown): string {
  return value === undefined ? 'null' : String(value);
}
