/** `lineshaft worker list`: who runs jobs, on all machines. */

import type { WorkerView } from '@lineshaft/core';
import { describeTime } from '../durations.ts';
import type { Screen } from '../output/screen.ts';
import type { Column } from '../output/table.ts';
import type { Context } from './context.ts';

export async function listWorkers({ screen, host, open }: Context): Promise<undefined> {
  const { data } = await open();
  const workers = await data.workers();
  screen.result({ workers }, () =>
    workers.length === 0
      ? 'no workers; start one: lineshaft worker (or lineshaft dev, with a database)'
      : screen.table(columns(screen, host.now()), workers),
  );
  return undefined;
}

function columns(screen: Screen, nowMs: number): Column<WorkerView>[] {
  return [
    { title: 'worker', value: ({ name }) => name },
    {
      title: 'state',
      value: stateOf,
      style: (worker) => screen.paint(worker.expired ? 'red' : worker.stopping ? 'yellow' : 'green'),
    },
    { title: 'running', value: ({ running, slots }) => `${running} of ${slots}`, align: 'right' },
    { title: 'started', value: ({ startedAt }) => describeTime(startedAt, nowMs) },
    { title: 'heartbeat', value: ({ heartbeatAt }) => describeTime(heartbeatAt, nowMs) },
    { title: 'build', value: ({ build }) => build },
    { title: 'queues', value: ({ queues }) => queues.join(' ') },
    { title: 'kinds', value: ({ kinds }) => kinds.join(' '), gives: true },
  ];
}

function stateOf({ expired, stopping, leads }: WorkerView): string {
  return expired ? 'lost' : stopping ? 'stopping' : leads ? 'leads' : 'live';
}
