/**
 * What a change of a run means to the limit of its workflow: it asks for a place, or gives its own back. Written with the
 * change, in the same statement (SQL function `take_slots`), so that neither can be lost. Pure.
 */

import { runLimit } from '../domain/workflow/rate-limit.ts';
import type { Run } from '../domain/workflow/run.ts';
import { hasEnded } from '../domain/workflow/status.ts';

/** As `take_slots` has it: without `most` the place is only given back. */
interface SlotChange {
  readonly workflow?: string;
  readonly key?: string;
  /** So many of the key may go at once. */
  readonly most?: number;
  /** Where there is no room: it stands in line, nothing of the statement is written, or the run ends at once. */
  readonly full?: 'wait' | 'refuse' | 'end';
}

/**
 * @param before undefined: it is new
 * @param refusable somebody hears of a refusal
 * @returns undefined: nothing, as of all runs without a limit
 */
export function slotChange(before: Run | undefined, after: Run, refusable: boolean): SlotChange | undefined {
  if (before?.limited === undefined && after.limited === undefined) return undefined;
  const had = before?.limited !== undefined && !hasEnded(before.status);
  const { limited } = after;
  if (limited === undefined || hasEnded(after.status)) return had ? {} : undefined;
  if (had && (!limited.waits || stands(before, after))) return undefined;
  const limit = runLimit(after.definition);
  if (limit === undefined) return had ? {} : undefined;
  // Nobody asked for one that goes on since a run of its steps does.
  const waits = limit.policy === 'QUEUE' || limited.next?.type === 'reopen';
  const full = waits ? 'wait' : refusable ? 'refuse' : 'end';
  return { workflow: after.definition.name, key: limited.key, most: limit.most, full };
}

/** It stood in the same line before. */
function stands(before: Run | undefined, after: Run): boolean {
  return (
    before?.limited?.waits === true &&
    before.limited.key === after.limited?.key &&
    runLimit(before.definition)?.most === runLimit(after.definition)?.most
  );
}
