/** Builds: which deployment of the user's code a worker runs, and which jobs it may therefore take. Pure. */

/** `none`: any build. `min`: the pinned build or a later one. `exact`: the pinned build and no other. */
export type BuildPin = 'none' | 'min' | 'exact';

/** Semantic Versioning 2.0.0, with a `v` allowed before it. */
const versionPattern = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?$/;

/**
 * Which of two builds is later: negative if `a` is earlier, positive if it is later, 0 if neither is.
 *
 * Builds that are semantic versions compare by their precedence (semver.org, §11): `1.10.0` is later than
 * `1.9.0`, `2.0.0-rc.1` is earlier than `2.0.0`, and what follows a `+` (the commit) does not count. Other
 * builds compare as texts, unit by unit, which fits dates and counters of one length; all of them are earlier
 * than every version.
 */
export function compareBuilds(a: string, b: string): number {
  const versionA = versionPattern.exec(a);
  const versionB = versionPattern.exec(b);
  if (versionA === null || versionB === null) {
    if (versionA !== null) return 1;
    if (versionB !== null) return -1;
    return compareTexts(a, b);
  }
  for (let part = 1; part <= 3; part++) {
    const order = compareNumerals(versionA[part] ?? '', versionB[part] ?? '');
    if (order !== 0) return order;
  }
  return comparePreReleases(versionA[4], versionB[4]);
}

/**
 * Whether a worker of `build` may run a job that is pinned to the build `pinned`.
 *
 * `exact` compares the whole text, so that two commits of one version are two builds; `min` compares as
 * `compareBuilds` does.
 */
export function pinAllows(pin: BuildPin, pinned: string, build: string): boolean {
  switch (pin) {
    case 'none':
      return true;
    case 'min':
      return compareBuilds(build, pinned) >= 0;
    case 'exact':
      return build === pinned;
  }
}

function comparePreReleases(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  const partsA = a.split('.');
  const partsB = b.split('.');
  for (let place = 0; place < Math.max(partsA.length, partsB.length); place++) {
    const order = compareIdentifiers(partsA[place], partsB[place]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers before words; a missing identifier before any. */
function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1);
  const numeralA = /^\d+$/.test(a);
  const numeralB = /^\d+$/.test(b);
  if (numeralA && numeralB) return compareNumerals(a, b);
  if (numeralA !== numeralB) return numeralA ? -1 : 1;
  return compareTexts(a, b);
}

/** Whole numbers of any length, as digits. */
function compareNumerals(a: string, b: string): number {
  const digitsA = a.replace(/^0+(?=\d)/, '');
  const digitsB = b.replace(/^0+(?=\d)/, '');
  return digitsA.length - digitsB.length || compareTexts(digitsA, digitsB);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
