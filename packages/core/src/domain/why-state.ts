/** What the state of a job alone says of why it does not run, or that it does. Pure. */

import type { Finding, HolderFacts, JobFacts } from './why-facts.ts';
import { spanText, timeText } from './why-words.ts';

/** What a worker holds in memory starts or goes back within this time, so who is held for longer runs. */
const inMemoryMaxMs = 12_000;

/** How dead letters came to be, as people say it. */
const deaths: Readonly<Record<string, string>> = {
  attempts: 'all its attempts failed',
  'not-retryable': 'its error says that trying again is useless',
  poison: 'its workers died too often while they ran it',
};

/** Nothing for a job that is ready: then others decide. */
export function judgeState(job: JobFacts, nowMs: number): Finding[] {
  switch (job.state) {
    case 'ready':
      return [];
    case 'scheduled':
    case 'retrying':
      return [job.state === 'retrying' ? retrying(job, nowMs) : notDue(job, nowMs)];
    case 'blocked':
      return [blocked(job, nowMs)];
    case 'running':
      return [held(job, nowMs)];
    case 'failed':
      return [failed(job, nowMs)];
    case 'succeeded':
    case 'cancelled':
      return [finished(job, nowMs)];
  }
}

function notDue({ id, dueMs }: JobFacts, nowMs: number): Finding {
  return {
    code: 'not-due',
    message: `it is not due before ${timeText(dueMs, nowMs)}`,
    command: `lineshaft job retry ${id}`,
    details: { dueAt: new Date(dueMs).toISOString() },
  };
}

function retrying(job: JobFacts, nowMs: number): Finding {
  const { id, dueMs, attempt, maxAttempts } = job;
  return {
    code: 'retrying',
    message: `attempt ${attempt} of ${maxAttempts} failed${errorText(job)}; it is tried again at ${timeText(dueMs, nowMs)}`,
    command: `lineshaft job retry ${id}`,
    details: {
      dueAt: new Date(dueMs).toISOString(),
      attempt,
      maxAttempts,
      error: job.error?.message ?? null,
    },
  };
}

function blocked({ id, reason = 'blocked', detail, sinceMs }: JobFacts, nowMs: number): Finding {
  const since = sinceMs === undefined ? '' : ` since ${timeText(sinceMs, nowMs)}`;
  if (reason === 'upgrade-failed') {
    const error = detail['error'] as { message?: string } | undefined;
    return {
      code: 'upgrade-failed',
      message:
        `build ${String(detail['build'])} could not upgrade its payload of version ${String(detail['from'])}` +
        `${error?.message === undefined ? '' : ` (${error.message})`}; it waits for a build that can${since}`,
      command: `lineshaft job retry ${id}`,
      details: { ...detail, reason },
    };
  }
  return {
    code: 'blocked',
    message: `it is blocked${since}: ${reason}`,
    command: `lineshaft job retry ${id}`,
    details: { ...detail, reason },
  };
}

function held(job: JobFacts, nowMs: number): Finding {
  const { holder, id } = job;
  if (holder === undefined) {
    return {
      code: 'running',
      message: 'a worker claimed it at this moment, or is writing how it ended',
      command: `lineshaft job show ${id}`,
      details: {},
    };
  }
  const details = { worker: holder.workerId, since: new Date(holder.sinceMs).toISOString() };
  if (holder.leaseUntilMs < nowMs) {
    return {
      code: 'worker-lost',
      message:
        `worker ${holder.workerId}, which claimed it ${timeText(holder.sinceMs, nowMs)}, is lost: its lease ran out ` +
        `${spanText(nowMs - holder.leaseUntilMs)} ago; the job goes back when another worker rescues it`,
      command: 'lineshaft worker',
      details,
    };
  }
  if (waitsInMemory(holder, nowMs)) {
    return {
      code: 'claimed',
      message:
        `worker ${holder.workerId} claimed it ${spanText(nowMs - holder.sinceMs)} ago and may still hold it in memory: ` +
        `it holds ${holder.held} jobs and ran ${holder.running} at its last heartbeat`,
      command: undefined,
      details: { ...details, held: holder.held, running: holder.running },
    };
  }
  return {
    code: 'running',
    message: `it runs on worker ${holder.workerId} since ${timeText(holder.sinceMs, nowMs)} (attempt ${job.attempt + 1} of ${job.maxAttempts})`,
    command: `lineshaft job cancel ${id}`,
    details,
  };
}

function waitsInMemory({ sinceMs, held: jobs, running }: HolderFacts, nowMs: number): boolean {
  return jobs > running && nowMs - sinceMs < inMemoryMaxMs && running > 0;
}

function failed(job: JobFacts, nowMs: number): Finding {
  const { id, reason = '', attempt, maxAttempts, sinceMs, keptUntilMs } = job;
  const when = sinceMs === undefined ? '' : ` ${timeText(sinceMs, nowMs)}`;
  const kept = keptUntilMs === undefined ? '' : `; it is kept until ${timeText(keptUntilMs, nowMs)}`;
  return {
    code: 'failed',
    message: `it failed for good${when}: ${deaths[reason] ?? reason} (${attempt} of ${maxAttempts})${errorText(job)}${kept}`,
    command: `lineshaft job retry ${id}`,
    details: { reason, attempt, maxAttempts, error: job.error?.message ?? null },
  };
}

function finished({ state, sinceMs, reason, id }: JobFacts, nowMs: number): Finding {
  const when = sinceMs === undefined ? '' : ` ${timeText(sinceMs, nowMs)}`;
  return {
    code: 'finished',
    message:
      state === 'succeeded' ? `it succeeded${when}` : `it was cancelled${when}: ${reason ?? 'cancelled'}`,
    command: `lineshaft job show ${id}`,
    details: {
      state,
      at: sinceMs === undefined ? null : new Date(sinceMs).toISOString(),
      reason: reason ?? null,
    },
  };
}

function errorText({ error }: JobFacts): string {
  if (error === undefined) return '';
  const text = `${error.name}: ${error.message}`.replaceAll(/\s+/g, ' ');
  return ` with ${text.length > 200 ? `${text.slice(0, 197)}...` : text}`;
}
