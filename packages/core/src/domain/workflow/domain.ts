/**
 * Which domain a worker step gets: by the run's `taskToDomain` and by who has polled lately (conductor.md §4). Pure.
 */

/** The token that stands for no domain, in any case. */
const noDomain = 'NO_DOMAIN';

/**
 * The domain of a step of this type; undefined: none, any worker without a domain may have it.
 *
 * The entry of the type goes before that of `*`. Its value is a list, separated by commas: the first domain for which a
 * worker has polled lately; if there is none, no domain where the list ends with `NO_DOMAIN`, else the last.
 *
 * @param isActive whether a worker has polled lately for this type in this domain
 * @example pickDomain('resize', { '*': 'blue', resize: 'green, NO_DOMAIN' }, () => false) // undefined
 */
export function pickDomain(
  taskType: string,
  taskToDomain: Readonly<Record<string, string>>,
  isActive: (taskType: string, domain: string) => boolean,
): string | undefined {
  const value = Object.hasOwn(taskToDomain, taskType) ? taskToDomain[taskType] : taskToDomain['*'];
  if (typeof value !== 'string') return undefined;
  const domains = value
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
  const named = domains.filter((token) => token.toUpperCase() !== noDomain);
  const active = named.find((domain) => isActive(taskType, domain));
  if (active !== undefined) return active;
  const last = domains.at(-1);
  return last === undefined || last.toUpperCase() === noDomain ? undefined : last;
}
