/** The counters of a worker (`docs/operate/metrics.md`) as Prometheus wants them. Pure. */

import type { DelayMetrics, JobCounts, WorkerMetrics } from '@lineshaft/core';
import type { Distribution, Labels, PrometheusText } from './prometheus.ts';

const jobCounts: Readonly<Record<keyof JobCounts, string>> = {
  claimed: 'Jobs that were taken; those that were given back unstarted too.',
  started: 'Attempts that were handed to an executor.',
  succeeded: 'Jobs that succeeded.',
  failed: 'Jobs that became dead letters.',
  retried: 'Attempts that failed and will be tried again.',
  snoozed: 'Attempts after which the job comes back later.',
  cancelled: 'Jobs that were cancelled while they ran.',
  returned: 'Jobs that were given back: not started, or interrupted by a stop.',
  blocked: 'Jobs that were set aside because their payload could not be upgraded.',
  late: 'Results whose job had moved on.',
};

export function writeWorkerCounts(text: PrometheusText, metrics: WorkerMetrics): void {
  const one = (value: number): [Labels, number][] => [[{}, value]];
  text.gauge('lineshaft_worker_slots', 'Room for attempts.', one(metrics.slots));
  text.gauge('lineshaft_worker_running', 'Attempts that run.', one(metrics.running));
  text.gauge('lineshaft_worker_held', 'Jobs that were claimed and run or wait in memory.', one(metrics.held));
  text.gauge('lineshaft_worker_unwritten', 'Results that are not written yet.', one(metrics.unwritten));
  text.gauge('lineshaft_worker_leads', '1 where this worker leads.', one(metrics.leads ? 1 : 0));
  text.counter(
    'lineshaft_worker_claims_total',
    'Claims that were sent, empty ones too.',
    one(metrics.claims),
  );
  text.counter(
    'lineshaft_worker_rescued_total',
    'Jobs of dead workers that were given back.',
    one(metrics.rescued),
  );
  text.counter(
    'lineshaft_worker_buried_total',
    'Jobs of dead workers that became dead letters.',
    one(metrics.buried),
  );
  const byKind = metrics.queues.flatMap(({ queue, kinds }) =>
    kinds.map((counts) => [{ queue, kind: counts.kind }, counts] as const),
  );
  for (const [name, help] of Object.entries(jobCounts)) {
    text.counter(
      `lineshaft_jobs_${name}_total`,
      help,
      byKind.map(([labels, counts]) => [labels, counts[name as keyof JobCounts]] as const),
    );
  }
  text.histogram(
    'lineshaft_scheduling_delay_seconds',
    'From when a job could have started until it did, by queue.',
    metrics.queues.map(({ queue, schedulingDelay }) => [{ queue }, inSeconds(schedulingDelay)] as const),
  );
  text.counter(
    'lineshaft_circuit_opened_total',
    'How often this worker saw the circuit of a kind open.',
    metrics.circuits.map(({ kind, opened }) => [{ kind }, opened] as const),
  );
  text.gauge(
    'lineshaft_circuit_open',
    '1 where the circuit of a kind is not closed.',
    metrics.circuits.map(({ kind, state }) => [{ kind }, state === 'closed' ? 0 : 1] as const),
  );
}

function inSeconds({ buckets, sumMs }: DelayMetrics): Distribution {
  return {
    bounds: buckets.slice(0, -1).map(({ belowMs }) => belowMs / 1_000),
    counts: buckets.map(({ count }) => count),
    sum: sumMs / 1_000,
  };
}
