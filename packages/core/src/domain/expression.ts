/** Regular expressions of the caller's: refused where matching them could take long. Pure. */

/**
 * Why an expression could run long, or undefined. Backtracking costs |text|^repetitions and multiplies with
 * groups; a repeated group may cost 2^|text| (J. Kirrage et al., "Static Analysis for Regular Expression
 * Denial-of-Service Attacks", NSS 2013), so those are refused whole rather than looked into.
 *
 * @param source What stands between the slashes; it must compile.
 * @param repetitions How many repetitions it may have.
 */
export function expressionCost(source: string, repetitions: 2 | 3): string | undefined {
  const single = source.replaceAll(/\\[pPu]\{[^}]*\}/g, 'x').replaceAll(/\\[^1-9k]/g, 'x');
  const plain = single.replaceAll(/\[[^\]]*\]/g, 'x');
  if (plain.includes('\\')) return 'must have no back-references';
  if (/\)[*+{]/.test(plain)) return 'must not repeat a group';
  const opened = plain.replaceAll(/\((?:\?(?:<[^>]*>|[:=!]|<[=!]))?/g, '(');
  if (opened.split('(').length > 4) return 'must have at most three groups';
  if ((opened.match(/[*+?{]\??/g)?.length ?? 0) > repetitions)
    return `must have at most ${repetitions === 2 ? 'two' : 'three'} repetitions ('* + ? {n,m}')`;
  return undefined;
}
