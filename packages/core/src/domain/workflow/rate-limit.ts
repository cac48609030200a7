/**
 * Limits of how many runs of a workflow go at once (`rateLimitConfig`): what a definition says, and the key of a run. Who is
 * admitted when is decided where the runs are written, since it is about many of them (SQL function `take_slots`). Pure.
 */

import { invalidOption } from '../errors.ts';
import type { WorkflowDefinition } from './definition.ts';
import { resolve } from './expression.ts';
import { javaText } from './java-text.ts';
import type { Run, RunLimit, RunResumption } from './run.ts';
import { workflowDocument } from './scope.ts';

/** Longest key, in characters. */
const keyMax = 500;

/** What a definition says of it; undefined: any number of its runs may go at once. */
export function runLimit(
  definition: WorkflowDefinition,
): { readonly most: number; readonly policy: 'QUEUE' | 'REJECT' } | undefined {
  const { concurrentExecLimit: most, policy } = definition.rateLimitConfig ?? {};
  if (typeof most !== 'number' || most < 1) return undefined;
  return { most, policy: policy === 'REJECT' ? 'REJECT' : 'QUEUE' };
}

/**
 * Where a run stands that is to begin or go on: in line, or undefined where there is no limit.
 *
 * @param next what it goes on with; undefined: it begins
 * @throws LineshaftError OPTION_INVALID where its key is too long, EXPRESSION_LIMIT
 */
export function inLine(run: Run, next?: RunResumption): RunLimit | undefined {
  if (runLimit(run.definition) === undefined) return undefined;
  return { key: keyOf(run), waits: true, ...(next === undefined ? {} : { next }) };
}

/** Why a run that is not to stand in line can't go. */
export function noRoom({ definition, limited }: Run): string {
  const most = runLimit(definition)?.most ?? 0;
  const key =
    limited === undefined || limited.key === '' ? '' : ` with the key '${limited.key.slice(0, 100)}'`;
  const runs = most === 1 ? 'one run' : `${most} runs`;
  return `Workflow ${definition.name} may have ${runs} under way${key}, and has so many`;
}

function keyOf(run: Run): string {
  const source = run.definition.rateLimitConfig?.rateLimitKey ?? '';
  const value = resolve(source, {
    lookup: (name) => (name === 'workflow' ? workflowDocument({ run }) : undefined),
  });
  const key = javaText(value, keyMax + 1).replaceAll('\0', '\uFFFD');
  if (key.length <= keyMax) return key;
  throw invalidOption('rateLimitKey', `${key.slice(0, 50)}…`, `a text of at most ${keyMax} characters`);
}
