/** `/metrics`: what this process has counted, in the text format of Prometheus. Asks the database nothing. */

import type { Worker } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import type { HttpCounts } from './http-counts.ts';
import type { PollCounts } from './poll-counts.ts';
import { PrometheusText } from './prometheus.ts';
import { writeWorkerCounts } from './worker-counts.ts';

export interface MetricsSources {
  readonly http: HttpCounts;
  readonly polls: PollCounts;
  readonly statements: () => ReadonlyMap<string, number>;
  readonly worker: Pick<Worker, 'metrics'> | undefined;
}

export function addMetrics(app: FastifyInstance, { http, polls, statements, worker }: MetricsSources): void {
  app.get(
    '/metrics',
    { config: { frequent: true, action: 'watch' }, schema: metricsSchema },
    (_request, reply) => {
      const text = new PrometheusText();
      http.write(text);
      polls.write(text);
      text.counter(
        'lineshaft_statements_total',
        'Statements that were sent to the database, by name.',
        [...statements()].map(([statement, count]) => [{ statement }, count] as const),
      );
      writeProcess(text);
      if (worker !== undefined) writeWorkerCounts(text, worker.metrics());
      return reply.type('text/plain; version=0.0.4; charset=utf-8').send(text.toString());
    },
  );
}

function writeProcess(text: PrometheusText): void {
  const { user, system } = process.cpuUsage();
  text.counter('process_cpu_seconds_total', 'CPU time of this process.', [[{}, (user + system) / 1e6]]);
  text.gauge('process_resident_memory_bytes', 'Memory of this process.', [[{}, process.memoryUsage.rss()]]);
  text.gauge('process_start_time_seconds', 'When this process started, since 1970.', [
    [{}, Math.round(performance.timeOrigin) / 1_000],
  ]);
}

const metricsSchema = {
  summary: 'Counters of this process in the text format of Prometheus',
  tags: ['health'],
  response: { 200: { description: 'The counters', type: 'string' } },
};
