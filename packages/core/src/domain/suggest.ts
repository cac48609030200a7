/** Did-you-mean: the known name that a wrong one was probably meant to be. Pure. */

/** Longer names than this are not typing errors of a known one, and would be dear to compare. */
const maxLength = 80;

/**
 * The known name nearest to a wrong one, or undefined where none is near.
 *
 * Near means: as many typing errors (a wrong, missing, extra or swapped character) as a third of the longer
 * name has characters, rounded down; upper and lower case do not count. Of equally near ones the first wins.
 *
 * @example suggest('mial', ['default', 'mail']) // 'mail'
 */
export function suggest(wrong: string, known: Iterable<string>): string | undefined {
  if (wrong.length > maxLength) return undefined;
  const lower = wrong.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    if (candidate.length > maxLength) continue;
    const allowed = Math.floor(Math.max(wrong.length, candidate.length) / 3);
    if (Math.abs(wrong.length - candidate.length) > Math.min(allowed, bestDistance - 1)) continue;
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance > allowed || distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/**
 * The end of an error message: `; did you mean 'mail'?`, or an empty text where nothing is near.
 *
 * @example `queue 'mial' not found${didYouMean('mial', names)}`
 */
export function didYouMean(wrong: string, known: Iterable<string>): string {
  const found = suggest(wrong, known);
  return found === undefined ? '' : `; did you mean '${found}'?`;
}

/**
 * How many edits (insert, delete, replace a character, swap two neighbours) lead from one text to the other.
 *
 * Restricted Damerau–Levenshtein distance ("optimal string alignment"): F. J. Damerau, "A technique for
 * computer detection and correction of spelling errors", CACM 7 (3), 1964; by the dynamic programme of R. A.
 * Wagner and M. J. Fischer, "The string-to-string correction problem", JACM 21 (1), 1974, with the last three
 * rows kept.
 */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        cell(last, column) + 1,
        cell(current, column - 1) + 1,
        cell(last, column - 1) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        cost = Math.min(cost, cell(beforeLast, column - 2) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return cell(last, to.length);
}

function cell(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
