/** What the server says of itself: whether it lives, what is missing, and what it has counted. */

import type { PollRequest, StepReport, Workflows } from '@lineshaft/core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { until } from '../worker/site.ts';
import { type HttpSite, openHttpSite } from './http-site.ts';

let http: HttpSite;
let release: (() => void) | undefined;

/** Polls of `waits` wait until they are released; none brings a step. Reports are taken. */
const workflows = {
  async poll({ kind }: PollRequest) {
    if (kind !== 'waits') return [];
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return [];
  },
  async reportByRef(_runId: string, _ref: string, _report: StepReport) {
    return undefined;
  },
} as unknown as Workflows;

beforeAll(async () => {
  http = await openHttpSite({ workflows });
});

afterAll(async () => {
  await http.close();
});

async function readiness(url = http.url) {
  const answer = await fetch(`${url}/readyz`);
  return {
    status: answer.status,
    ...((await answer.json()) as { ready: boolean; checks: Record<string, string> }),
  };
}

/** Samples by name and labels. Fails on a line that Prometheus could not read. */
async function metrics(): Promise<Map<string, number>> {
  const answer = await fetch(`${http.url}/metrics`);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const samples = new Map<string, number>();
  const types = new Set<string>();
  for (const line of (await answer.text()).trimEnd().split('\n')) {
    const type = /^# TYPE ([a-z_]+) (?:counter|gauge|histogram)$/.exec(line)?.[1];
    if (type !== undefined) {
      expect(types.has(type), line).toBe(false);
      types.add(type);
    } else if (!line.startsWith('# HELP ')) {
      const [, name = '', labels = '', value = ''] =
        /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (\S+)$/.exec(line) ?? [];
      expect(types.has(name) || types.has(name.replace(/_(bucket|sum|count)$/, '')), line).toBe(true);
      expect(Number.isFinite(Number(value)), line).toBe(true);
      samples.set(name + labels, Number(value));
    }
  }
  return samples;
}

describe('/readyz', () => {
  it('names the worker that is missing, and is content when there is one', async () => {
    expect(await readiness()).toMatchObject({
      status: 503,
      ready: false,
      checks: {
        database: 'ok',
        schema: 'ok',
        services: /no worker is alive: start lineshaft worker/,
        server: 'ok',
      },
    });
    const worker = http.site.lineshaft.worker({ signals: false, handlers: {} });
    await worker.start();
    expect(await readiness()).toMatchObject({ status: 200, ready: true });
    await worker.stop();
  });

  it('names the schema that is missing', async () => {
    const lineshaft = http.site.other({ databaseUrl: await createDatabase(inject('postgres18')) });
    const { url } = await http.other({ lineshaft });
    expect(await readiness(url)).toMatchObject({
      status: 503,
      ready: false,
      checks: { database: 'ok', schema: /lineshaft migrate/, services: /not known/ },
    });
    await lineshaft.migrate();
    expect((await readiness(url)).checks).toMatchObject({ schema: 'ok' });
  });

  it('names the database that is away, while the process lives', async () => {
    const lineshaft = http.site.other({ databaseUrl: 'postgresql://nobody@127.0.0.1:1/none' });
    const { url } = await http.other({ lineshaft });
    expect(await readiness(url)).toMatchObject({
      status: 503,
      checks: { database: expect.not.stringMatching(/^ok$/), schema: /not known/ },
    });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    // Whether a key is demanded is not known either: nobody is let in.
    const answer = await fetch(`${url}/metrics`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ error: { code: 'DATABASE_UNAVAILABLE' } });
  });
});

describe('/metrics', () => {
  it('counts requests by route, not by path, and what is no route together', async () => {
    const counted = async (labels: string): Promise<number> =>
      (await metrics()).get(`lineshaft_http_requests_total{${labels}}`) ?? 0;
    const route = 'method="GET",route="/api/tasks/poll/:tasktype",status="204"';
    const before = await counted(route);
    for (const kind of ['a', 'b', 'c']) await fetch(`${http.url}/api/tasks/poll/${kind}`);
    expect(await counted(route)).toBe(before + 3);
    await fetch(`${http.url}/made/up`);
    await fetch(`${http.url}/made/up/too`);
    expect(await counted('method="GET",route="none",status="404"')).toBe(2);
  });

  it('has whole distributions of durations', async () => {
    const samples = await metrics();
    const route = 'method="GET",route="/metrics"';
    const buckets = [...samples].filter(([name]) =>
      name.startsWith(`lineshaft_http_request_duration_seconds_bucket{${route},`),
    );
    expect(buckets.length).toBeGreaterThan(5);
    const counts = buckets.map(([, count]) => count);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts.at(-1)).toBe(samples.get(`lineshaft_http_request_duration_seconds_count{${route}}`));
  });

  it('counts polls, those that wait, and reports', async () => {
    const before = await metrics();
    const waits = fetch(`${http.url}/api/tasks/poll/batch/waits?timeout=60000`);
    const open = async (): Promise<number | undefined> => (await metrics()).get('lineshaft_long_polls_open');
    await until('it waits', async () => (await open()) === 1);
    release?.();
    expect(await (await waits).json()).toEqual([]);
    expect(await open()).toBe(0);
    const run = '00000000-0000-7000-8000-000000000000';
    await fetch(`${http.url}/api/tasks/${run}/ref/COMPLETED`, { method: 'POST', body: '{}' });
    const after = await metrics();
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('lineshaft_polls_total')).toBe(1);
    expect(grown('lineshaft_polls_empty_total')).toBe(1);
    expect(grown('lineshaft_reports_total{status="COMPLETED"}')).toBe(1);
  });

  it('counts statements by name, and shows the worker of the process', async () => {
    const name = 'lineshaft_statements_total{statement="list_queues"}';
    const before = (await metrics()).get(name) ?? 0;
    await http.site.lineshaft.queues();
    expect((await metrics()).get(name)).toBe(before + 1);
    expect((await metrics()).has('lineshaft_worker_slots')).toBe(false);
    const worker = http.site.lineshaft.worker({ signals: false, handlers: { greet: () => 1 }, slots: 7 });
    await worker.start();
    const { id } = await http.site.lineshaft.enqueue('greet', {});
    await http.site.lineshaft.waitFor([id]);
    const { url } = await http.other({ worker });
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('lineshaft_worker_slots 7\n');
    expect(text).toMatch(/lineshaft_jobs_succeeded_total\{queue="\d+-default",kind="greet"\} 1\n/);
    await worker.stop();
  });
});
