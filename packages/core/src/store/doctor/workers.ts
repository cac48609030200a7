/** Whether somebody is there for the jobs that wait, and whether lost workers are rescued. */
import { type Amounts, amountsText } from '../../domain/amounts.ts';
import type { BuildPin } from '../../domain/build.ts';
import { judgeServing, type LiveWorker } from '../../domain/serving.ts';
import { statements } from '../statements.generated.ts';
import { ask, type Check, type Finding } from './finding.ts';

/** A lane with jobs to claim, as `doctor_waiting_lanes.sql` returns it. */
export interface WaitingLane {
  readonly kind: string;
  readonly requirements: readonly string[];
  readonly pin: BuildPin;
  readonly build: string;
  readonly queue: string;
  readonly slug: string;
  readonly project: string;
  readonly state: 'active' | 'paused';
  readonly resume_at: string | null;
  readonly tags: readonly string[];
  readonly needs: Amounts;
  readonly jobs: string | number;
}

/** A worker that claims, as `live_workers.sql` returns it. */
interface LiveWorkerRow extends Omit<LiveWorker, 'workerId'> {
  readonly worker_id: string;
}

const mostLanes = 20_000;
const mostJobs = 100;

export const waitingJobsCheck: Check = {
  code: 'waiting-jobs',
  fine: 'for all jobs that wait there is a worker',
  needsSchema: true,
  async run(examination) {
    const lanes = await ask<WaitingLane>(examination, statements.doctorWaitingLanes, [
      mostLanes,
      mostJobs + 1,
    ]);
    const rows = await ask<LiveWorkerRow>(examination, statements.liveWorkers);
    return judgeLanes(
      lanes,
      rows.map(({ worker_id: workerId, ...row }) => ({ ...row, workerId })),
    );
  },
};

/**
 * Why the jobs of lanes wait, where it is not for want of slots: a finding for each reason and its place.
 * Pure.
 */
export function judgeLanes(lanes: readonly WaitingLane[], workers: readonly LiveWorker[]): Finding[] {
  const found = new Map<
    string,
    { finding: Omit<Finding, 'detail'>; jobs: number; more: boolean; why: string }
  >();
  for (const lane of lanes) {
    const verdict = judgeLane(lane, workers);
    if (verdict === undefined) continue;
    const { why, ...finding } = verdict;
    const entry = found.get(finding.title) ?? { finding, jobs: 0, more: false, why };
    const jobs = Number(lane.jobs);
    entry.jobs += Math.min(jobs, mostJobs);
    entry.more ||= jobs > mostJobs;
    found.set(finding.title, entry);
  }
  return [...found.values()].map(({ finding, jobs, more, why }) => ({
    ...finding,
    detail: `${more ? 'More than ' : ''}${jobs} ${jobs === 1 ? 'job waits' : 'jobs wait'}. ${why}`.trim(),
  }));
}

type Verdict = Omit<Finding, 'detail'> & { readonly why: string };

/** The first thing that keeps workers from a lane: its queue, its kind, its requirements, its build. */
function judgeLane(lane: WaitingLane, workers: readonly LiveWorker[]): Verdict | undefined {
  const queue = lane.project === 'default' ? lane.queue : `${lane.queue} (project ${lane.project})`;
  if (lane.state === 'paused') {
    return {
      code: 'queue-paused',
      severity: 'warning',
      title: `queue ${queue} is paused while jobs wait in it`,
      why: lane.resume_at === null ? 'It is paused until it is resumed.' : `It resumes at ${lane.resume_at}.`,
      remedy: `lineshaft queue resume ${lane.queue}`,
    };
  }
  const { lack, nearest } = judgeServing(lane, workers);
  switch (lack) {
    case undefined:
      return undefined;
    case 'queue':
      return {
        code: 'queue-unserved',
        severity: 'warning',
        title: `no live worker serves queue ${queue} while jobs wait in it`,
        why: `Its tags: ${lane.tags.join(', ') || 'none'}; live workers: ${workers.length}.`,
        remedy: `Start a worker whose queues or tags fit: lineshaft worker -Q ${lane.queue}`,
      };
    case 'kind':
      return {
        code: 'kind-unknown',
        severity: 'warning',
        title: `no live worker of queue ${queue} knows the kind ${lane.kind}`,
        why: 'They wait without losing attempts.',
        remedy: 'Deploy a worker with its handler, or look for a slip in the name and delete the jobs.',
      };
    case 'requirements':
      return {
        code: 'requirements-unmet',
        severity: 'warning',
        title: `no live worker of queue ${queue} for kind ${lane.kind} has the tags ${lane.requirements.join(', ')}`,
        why: 'The jobs require them.',
        remedy: 'Start a worker with these tags (lineshaft worker --tag KEY=VALUE).',
      };
    case 'build':
      return {
        code: 'build-unserved',
        severity: 'warning',
        title: `jobs of kind ${lane.kind} in queue ${queue} are pinned to build ${lane.build}, which nobody runs`,
        why: `Pinned as '${lane.pin}'; builds that run: ${[...new Set(nearest.map(({ build }) => build))].join(', ')}.`,
        remedy: 'Keep a worker of that build until its jobs are done, or cancel them and enqueue them again.',
      };
    case 'amounts':
      return {
        code: 'needs-unmet',
        severity: 'warning',
        title: `no live worker of queue ${queue} for kind ${lane.kind} offers ${amountsText(lane.needs)}`,
        why: `Each of the jobs needs it; offered: ${nearest.map(({ offers }) => amountsText(offers)).join('; ')}.`,
        remedy: 'Start a worker that offers as much (lineshaft worker --offer NAME=AMOUNT).',
      };
  }
}

export const lostWorkersCheck: Check = {
  code: 'lost-workers',
  fine: 'no lost worker waits for its rescue',
  needsSchema: true,
  async run(examination) {
    const lost = await ask<{ worker_id: string; name: string; since: string; leases: string }>(
      examination,
      statements.doctorLostWorkers,
    );
    return lost.map(({ worker_id, name, since, leases }) => ({
      code: 'worker-lost',
      severity: 'error',
      title: `worker ${worker_id} is lost and nobody has rescued its jobs`,
      detail: `Name ${name}; its lease ran out at ${since}; it holds ${leases} batches of jobs.`,
      remedy: 'Start a worker: its services rescue the jobs of others.',
    }));
  },
};
