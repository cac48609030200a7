/**
 * What the index of words knows of runs beside their words: name, status and the time of their start. Conditions on these
 * narrow what words find; others are asked of the runs themselves. Pure.
 */

import type { SearchCondition, SearchTree } from '../domain/workflow/search-query.ts';
import { nameTerm, statusTerm } from '../domain/workflow/search-segment.ts';
import type { SearchScope } from '../store/search-sql.ts';

export interface SearchNarrowing {
  /** One of each list is true of a run. */
  readonly terms: readonly (readonly string[])[];
  /** When runs have started, ms since 1970; infinite: ever. */
  readonly since: number;
  /** Excluded. */
  readonly until: number;
  /** This is all that the search asks for beside words. */
  readonly complete: boolean;
  /** @param status of a run that has ended @param startedAt in microseconds since 1970 */
  fits(name: string, status: string | undefined, startedAt: number): boolean;
}

const openStatuses = ['RUNNING', 'PAUSED'];

/** @param statuses that the search leaves */
export function narrowingOf(
  tree: SearchTree,
  scope: SearchScope,
  statuses: readonly string[],
): SearchNarrowing {
  const terms: string[][] = [];
  let since = Number.NEGATIVE_INFINITY;
  let until = Number.POSITIVE_INFINITY;
  let complete = scope.topLevelOnly !== true && scope.classifier === undefined;
  for (const condition of tree.conditions) {
    const { field, op, values } = condition;
    if (field === 'status') continue;
    const times = field === 'startTime' ? timesOf(condition) : undefined;
    if (times !== undefined) {
      since = Math.max(since, times.since);
      until = Math.min(until, times.until);
    } else if (field === 'workflowType' && (op === 'eq' || op === 'in')) terms.push(values.map(nameTerm));
    else complete = false;
  }
  const open = statuses.filter((status) => openStatuses.includes(status));
  // That a run is paused is not known to the index.
  if (open.length === 1) complete = false;
  if (statuses.length < allStatuses) {
    const ended = statuses.filter((status) => !openStatuses.includes(status));
    terms.push([...ended.map(statusTerm), ...(open.length > 0 ? [statusTerm(undefined)] : [])]);
  }
  return {
    terms,
    since,
    until,
    complete,
    fits(name, status, startedAt) {
      const own = new Set([nameTerm(name), statusTerm(status)]);
      const startedMs = startedAt / 1_000;
      return (
        startedMs >= since && startedMs < until && terms.every((each) => each.some((term) => own.has(term)))
      );
    },
  };
}

const allStatuses = 6;

/** undefined: it is not one span. */
function timesOf({ op, values }: SearchCondition): { since: number; until: number } | undefined {
  const [value = ''] = values;
  const at = Number(value);
  if (op === 'gt') return { since: at + 1, until: Number.POSITIVE_INFINITY };
  if (op === 'lt') return { since: Number.NEGATIVE_INFINITY, until: at };
  return values.length === 1 ? { since: at, until: at + 1 } : undefined;
}
