/** The kind of the jobs that are steps with a task of this name: what workers ask for. Pure. */

const kindPattern = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,199}$/;
const longest = 200;
const beginning = '_@_';

/**
 * Names of tasks may have any characters, kinds may not: other characters become `@` and their code, `@` itself too, so that
 * no two names have the same kind. A name that can be a kind is one.
 *
 * @param name of 1 to 200 characters once it is written so
 * @returns undefined where it is longer
 * @example stepKind('resize image') // 'resize@20image'
 */
export function stepKind(name: string): string | undefined {
  if (kindPattern.test(name) && !name.includes('@')) return name;
  const kind = name.replaceAll(/^[.:/-]|[^A-Za-z0-9_.:/-]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `@${code.toString(16).padStart(2, '0')}` : `@u${code.toString(16)}.`;
  });
  // A kind may not begin with `@`; no character is written as `@_`.
  const begun = kind.startsWith('@') ? `${beginning}${kind}` : kind;
  return begun.length >= 1 && begun.length <= longest ? begun : undefined;
}

/** The name that a kind was made of. @example stepName('resize@20image') // 'resize image' */
export function stepName(kind: string): string {
  const written = kind.startsWith(beginning) ? kind.slice(beginning.length) : kind;
  return written.replaceAll(/@(?:u([0-9a-f]+)\.|([0-9a-f]{2}))/g, (_all, long?: string, short?: string) =>
    String.fromCodePoint(Number.parseInt(long ?? short ?? '0', 16)),
  );
}
