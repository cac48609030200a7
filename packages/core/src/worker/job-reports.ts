/** What attempts say while they run, and what is said of those that failed. */

import { recordError } from '../domain/attempt.ts';
import type { Log } from '../log.ts';
import type { Result } from './completer.ts';
import type { AttemptEvent } from './executors/port.ts';
import type { HeldJob } from './held-job.ts';
import type { WorkerEvents } from './worker-parts.ts';

export class JobReports {
  private readonly log: Log;
  private readonly toldKinds = new Set<string>();
  private readonly toldLimits = new Set<string>();
  private readonly progress = new Map<string, [number, number | undefined]>();

  constructor(log: Log) {
    this.log = log;
  }

  event(job: HeldJob, event: AttemptEvent): void {
    const { jobId, kind } = job;
    if (event.type === 'log') this.log[event.level](event.message, { job: jobId, kind, ...event.fields });
    else if (event.type === 'progress') {
      job.progressed = true;
      this.progress.set(jobId, [event.current, event.total]);
      this.log.debug('progress', { job: jobId, kind, current: event.current, total: event.total });
    }
  }

  /** Writes a failure to the log, and gives what listeners are told of it. */
  failed(job: HeldJob, message: string, { ending }: Result): WorkerEvents['failed'][0] {
    const retryInMs = ending.type === 'later' ? ending.delayMs : undefined;
    const stack =
      ending.type === 'later' || ending.type === 'dead' ? ending.errors?.at(-1)?.stack : undefined;
    const next =
      retryInMs === undefined
        ? 'it is a dead letter now'
        : `runs again in ${Math.ceil(retryInMs / 100) / 10} s`;
    this.log.warn(`${job.kind} failed in attempt ${job.attempt} of ${job.maxAttempts}: ${message}; ${next}`, {
      job: job.jobId,
    });
    if (stack !== undefined) this.log.info(stack);
    return { id: job.jobId, kind: job.kind, attempt: job.attempt, message, retryInMs };
  }

  /** What went wrong with the user's retry function; rules and back-off have decided instead. */
  retryTrouble(job: HeldJob, why: unknown): void {
    this.log.warn(
      `retry of kind '${job.kind}' gave no answer: ${recordError(why).message}; its rules decide`,
      {
        job: job.jobId,
      },
    );
  }

  /** Says once of each kind that jobs wait for it and nobody here can run them. */
  unknownKinds(kinds: Iterable<string>, worker: string): void {
    for (const kind of kinds) {
      if (this.toldKinds.has(kind)) continue;
      this.toldKinds.add(kind);
      this.log.warn(`jobs of kind '${kind}' wait, and this worker has no handler for it`, { worker });
    }
  }

  /** Results came too late: their jobs had been cancelled, or given to other workers. */
  late(ids: readonly string[]): { readonly ids: readonly string[] } {
    this.log.warn('a result came too late: its job had been cancelled or given to another worker', {
      job: ids[0],
    });
    return { ids };
  }

  /** Says once of each that a handler spoke of it, and its job is not under it; an empty name: there was no default. */
  unknownLimits(names: readonly string[]): void {
    for (const name of names) {
      if (this.toldLimits.has(name) || this.toldLimits.size >= 1_000) continue;
      this.toldLimits.add(name);
      const which =
        name === ''
          ? 'without a name, and its job is under no limit that is meant by that; name one of them'
          : `of '${name}', and its job is not under a limit of that name with a rate`;
      this.log.warn(`a handler spoke of a limit (job.spent, job.throttled) ${which}`);
    }
  }

  /** Writes to the log what became of a circuit breaker. */
  circuit(change: WorkerEvents['circuit'][0]): WorkerEvents['circuit'][0] {
    const { kind, to, until, reason } = change;
    const why = reason === undefined ? '' : ` (${reason})`;
    if (to === 'closed') this.log.info(`circuit of '${kind}' is closed: its jobs are claimed again`);
    else if (to === 'half-open') this.log.info(`circuit of '${kind}' is half-open: a few jobs are tried`);
    else {
      const next = until === undefined ? 'until it is closed' : `until ${until.toISOString()}`;
      this.log.warn(`circuit of '${kind}' is open${why}: its jobs wait ${next}`);
    }
    return change;
  }

  /** The last progress of each job since this was asked before; of jobs that are still held. */
  takeProgress(isHeld: (jobId: string) => boolean): [string, number, number | undefined][] {
    const said = [...this.progress]
      .filter(([id]) => isHeld(id))
      .map(([id, [current, total]]): [string, number, number | undefined] => [id, current, total]);
    this.progress.clear();
    return said;
  }
}
