/**
 * `workflow.pollers`: 10,000 polls that wait for nothing on 500 kinds of tasks, over HTTP, by clients that come back every 5 s
 * or ask for 60 s; and the same without HTTP. Of the server and the database: the share of a core, statements a second.
 */
import { performance } from 'node:perf_hooks';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { treeCpuSeconds, treePeakMegabytes } from '../cpu.ts';
import { withPollSite } from '../measure/polls.ts';
import { countTransactions } from '../measure/statements.ts';

const POLLS = 10_000;
const KINDS = 500;
const variants = { '5s': 5_000, '60s': 60_000, 'core-5s': 5_000, 'core-60s': 60_000 } as const;

export const workflowPollers: Bench = {
  name: 'workflow.pollers',
  about: '10,000 polls that wait on 500 kinds of tasks: share of a core, statements a second, memory',
  variants: Object.keys(variants),
  systems: ['lineshaft'],
  run: async (context) => {
    for (const [variant, timeoutMs] of Object.entries(variants)) {
      if (!context.wants(variant)) continue;
      const http = !variant.startsWith('core');
      const measure = (): Promise<Metrics> => measureIdlePolls(context, { http, timeoutMs });
      const series = await alternate(
        [{ system: 'lineshaft', setup: variant, measure }],
        context.rounds(3),
        context.report,
      );
      context.report.variant({ variant, series, primary: 'busy_ratio' });
    }
  },
};

async function measureIdlePolls(
  context: Context,
  { http, timeoutMs }: { http: boolean; timeoutMs: number },
): Promise<Metrics> {
  const { quick } = context.options;
  const polls = context.jobs(POLLS, 2_000);
  return await withPollSite(context, http, async ({ store, server, client, url }) => {
    await client.call('extra', { name: 'pollIdle', args: { url, polls, kinds: KINDS, timeoutMs } });
    await store.settle();
    // All have come once, and connections and plans are made.
    await pause(timeoutMs + (quick ? 3_000 : 15_000));
    await using counted = await countTransactions(store);
    const before = { server: treeCpuSeconds(server.pid), store: store.cpuSeconds() };
    const started = performance.now();
    await pause(quick ? 10_000 : 60_000);
    const seconds = (performance.now() - started) / 1_000;
    const ours = (treeCpuSeconds(server.pid) - before.server) / seconds;
    const db = (store.cpuSeconds() - before.store) / seconds;
    return {
      busy_ratio: ours + db,
      server_busy_ratio: ours,
      db_busy_ratio: db,
      statements_per_s: (await counted.since()) / seconds,
      rss_mb: treePeakMegabytes(server.pid),
    };
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
