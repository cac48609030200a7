/** Enqueues one job from the command line. */

import { relative, resolve } from 'node:path';
import type { EnqueueOptions, EnqueueResult } from '@lineshaft/core';
import { buildOf } from '../build.ts';
import type { Context } from '../commands/context.ts';
import type { EnqueueFlags } from '../commands/enqueue.ts';
import { parseDuration, parseTime } from '../durations.ts';
import { loadTask, type Tasks } from '../tasks-folder.ts';
import { UsageError } from '../usage-error.ts';
import { silenceTypelessWarning } from '../worker/silence.ts';
import { readPayload } from './payload.ts';
import { warnOfUnknownKind } from './unknown-kind.ts';
import { waitForJob } from './wait.ts';

export async function enqueue(context: Context<EnqueueFlags>): Promise<number | undefined> {
  const { args, flags, host, screen } = context;
  const [kind = '', json] = args;
  const waitMs = waitTime(flags.wait);
  const options = enqueueOptions(flags, host.now());
  const payload = await readPayload(json, host.stdin);
  const directory = resolve(host.cwd, flags.tasks ?? 'tasks');
  const { kinds } = await taskOf(kind, directory, host.cwd);
  const build = host.env['LINESHAFT_BUILD'] ?? buildOf(directory);
  const { data } = await context.open({ kinds, build });
  const queue = options.queue ?? kinds.definitions[kind as never]?.['queue'] ?? 'default';
  await warnOfUnknownKind(kind, { queue, project: options.project, directory, data, screen });
  const result = await data.enqueue(kind, payload, options);
  if (waitMs !== undefined) {
    screen.say(screen.style('dim', describe(result, kind)));
    return await waitForJob(result, waitMs, data, context);
  }
  screen.result(result, () => `${describe(result, kind)}; see: lineshaft job show ${result.id}`);
  return undefined;
}

/**
 * What the folder of tasks says of the kind: without it, a job would have the wrong version and an unchecked
 * payload.
 */
async function taskOf(kind: string, directory: string, cwd: string): Promise<Tasks> {
  silenceTypelessWarning();
  const task = await loadTask(directory, kind);
  const [problem] = task.problems;
  if (problem === undefined) return task;
  throw new UsageError(
    `${relative(cwd, problem.file)}, the handler of this kind, could not be loaded, so its schema and ` +
      `version are not known: ${problem.message}; mend it, or name another folder with --tasks`,
    { field: '--tasks', file: problem.file },
  );
}

function enqueueOptions(flags: EnqueueFlags, nowMs: number): EnqueueOptions {
  const { queue, project, priority, delay, runAt, id, unique, onConflict, maxAttempts, timeout } = flags;
  if (onConflict !== undefined && unique === undefined) {
    throw new UsageError(`--on-conflict needs the key that is unique: --unique KEY`, {
      field: '--on-conflict',
    });
  }
  const uniqueOptions =
    unique === undefined ? undefined : { key: unique, ...(onConflict === undefined ? {} : { onConflict }) };
  const given = {
    queue,
    project,
    priority,
    delayMs: delay,
    runAt: runAt === undefined ? undefined : parseTime(runAt, '--run-at', nowMs),
    id,
    unique: uniqueOptions,
    maxAttempts,
    limits: timeout === undefined ? undefined : { timeoutMs: timeout },
    requirements: flags.require,
    needs: flags.need,
    prefers: flags.prefer,
    preferMs: flags.preferFor,
    labels: flags.label,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** How long to wait; infinite without a time, undefined: not at all. */
function waitTime(wait: true | string | undefined): number | undefined {
  if (wait === undefined) return undefined;
  if (wait === true) return Number.POSITIVE_INFINITY;
  if (/^\s*[{["]/.test(wait)) {
    throw new UsageError(
      `--wait takes a duration, not the payload; write the payload before it: KIND '${wait}' --wait`,
      {
        field: '--wait',
      },
    );
  }
  return parseDuration(wait, '--wait');
}

function describe({ id, result }: EnqueueResult, kind: string): string {
  if (result === 'kept') return `kept: job ${id} was there already, nothing was enqueued`;
  return result === 'replaced' ? `replaced the job ${id} of kind ${kind}` : `enqueued ${kind} as job ${id}`;
}
