/** The error for what can't be done to a run in the state in which it is. */

import { LineshaftError } from '../errors.ts';
import type { Run } from './run.ts';
import type { RunState } from './state.ts';

/** `details.status` tells the state. */
export function refusal(state: RunState, message: string): LineshaftError {
  const { id, status } = state.run;
  return new LineshaftError('RUN_STATE', { message, details: { runId: id, status } });
}

/** How Conductor names a run in its messages: `NAME.VERSION/ID`. */
export function nameOf({ definition, id }: Run): string {
  return `${definition.name}.${definition.version ?? 1}/${id}`;
}
