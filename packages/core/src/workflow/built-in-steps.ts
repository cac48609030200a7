/** Steps that every worker can do, without a handler of the user's: requests over HTTP, and taking messages to a run. */

import type { JsonObject } from '../domain/workflow/definition.ts';
import type { StepOutcome } from './http-step.ts';
import type { MessageBook } from './message-book.ts';

/** What an attempt knows of its surroundings. */
interface Attempt {
  /** Of the step too. */
  readonly id: string;
  readonly signal: AbortSignal;
}

/** Of what a worker keeps of an output, room for what is around the body. */
const bodyShare = 0.9;

/**
 * The handlers by kind. They answer how the step ended (a StepOutcome), which `worker/step-events.ts` tells its run: so a
 * request that is refused has its answer as output, and one with `asyncComplete` goes on.
 *
 * @param outputMaxBytes longest output that the worker keeps
 * @param messages where those to runs are
 * @param redact takes secrets out of what tells what went wrong
 */
export function builtInSteps(
  outputMaxBytes: number,
  messages: Pick<MessageBook, 'take'>,
  redact: (text: string) => string,
): Readonly<Record<string, (input: JsonObject, attempt: Attempt) => Promise<StepOutcome>>> {
  return {
    async HTTP(input, { signal }) {
      // Loaded with the first request: most workers make none, and would hold its modules for nothing.
      const { doHttpStep } = await import('./http-step.ts');
      const outcome = await doHttpStep(input, {
        asyncComplete: input['asyncComplete'] === true,
        maxBytes: Math.floor(outputMaxBytes * bodyShare),
        signal,
      });
      return outcome.reason === undefined ? outcome : withoutSecrets(outcome, redact);
    },
    PULL_WORKFLOW_MESSAGES: (input, { id }) => messages.take(id, input),
  };
}

/** What went wrong may quote the request or its answer. */
function withoutSecrets(
  { status, output, reason = '' }: StepOutcome,
  redact: (text: string) => string,
): StepOutcome {
  const response = output?.['response'];
  const clean = typeof response === 'string' ? { ...output, response: redact(response) } : (output ?? {});
  return { status, output: clean, reason: redact(reason) };
}
