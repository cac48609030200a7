/** Schedules on real servers: their clock, what is declared anew, overlaps, missed ticks, and what goes wrong. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext, ScheduleDeclaration, ScheduledTick } from '../../packages/core/src/index.ts';
import { freshName, gate, openSite, openStranger, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('schedules on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());
  afterEach(async () => {
    await site.rest();
    for (const { name } of await site.lineshaft.schedules()) await site.lineshaft.deleteSchedule(name);
  });

  const hourly = (more: Partial<ScheduleDeclaration> = {}): ScheduleDeclaration => ({
    name: freshName('s'),
    cron: '0 * * * *',
    kind: 'job',
    ...more,
  });

  /** Lets it be declared and planned so many milliseconds ago, and due since. */
  async function sinceMs(name: string, ms: number): Promise<void> {
    await site.rows(
      `update lineshaft.schedule set plan_from = clock_timestamp() - $2 * interval '1 ms',
        anchor = clock_timestamp() - $2 * interval '1 ms', last_tick = null,
        next_tick = null, next_due = clock_timestamp(), revision = revision + 1 where name = $1`,
      [name, ms],
    );
    await site.rows(`select pg_notify('lineshaft', 's')`);
  }

  const jobsOf = (name: string): Promise<{ tick: string; missed: boolean | null; payload: unknown }[]> =>
    site.rows(
      `select options #>> '{meta,schedule,tick}' as tick, (options #>> '{meta,schedule,missed}')::boolean as missed, payload
       from lineshaft.job where options #>> '{labels,schedule}' = $1 order by 1`,
      [name],
    );

  test('every second one job, which knows its schedule and its tick', async () => {
    const { lineshaft } = site;
    const queue = await site.queue();
    const seen: { schedule: ScheduledTick | undefined; labels: object; payload: unknown }[] = [];
    const handler = (payload: unknown, { schedule, labels }: JobContext): void => {
      seen.push({ schedule, labels, payload });
    };
    await site.work(queue, { handlers: { job: handler } });
    const name = freshName('s');
    const options = { queue, labels: { tenant: 'acme' } };
    const declared = await lineshaft.schedule({
      name,
      cron: '* * * * * *',
      kind: 'job',
      payload: { n: 1 },
      options,
    });
    expect(declared).toMatchObject({ result: 'new', state: 'active', runs: 0 });
    expect(declared.nextRuns).toHaveLength(5);
    await until('three have run', () => seen.length >= 3);
    await lineshaft.pauseSchedule(name);
    const ticks = seen.map(({ schedule }) => schedule?.tick.getTime() ?? 0);
    expect(ticks).toEqual(ticks.map((_, n) => (ticks[0] ?? 0) + n * 1_000));
    expect(ticks[0]).toBe(declared.nextRuns[0]?.getTime());
    expect(seen[0]).toMatchObject({
      labels: { tenant: 'acme', schedule: name },
      payload: { n: 1 },
      schedule: { name, missed: false, asked: false },
    });
    const shown = await until('the last has finished', async () => {
      const view = await lineshaft.showSchedule(name);
      return view.lastRun?.state === 'succeeded' && view;
    });
    expect(shown.runs).toBe(seen.length);
    expect(shown.lastRun?.tick.getTime()).toBe(ticks.at(-1));
    expect(await lineshaft.showJob(shown.lastRun?.jobId ?? '')).toMatchObject({
      kind: 'job',
      state: 'succeeded',
    });
  });

  test('declared again, its clock goes on; with another rule it begins anew', async () => {
    const { lineshaft } = site;
    const declaration = { name: freshName('s'), every: '1h', kind: 'job' };
    const first = await lineshaft.schedule(declaration);
    const [row] = await site.rows(`select * from lineshaft.schedule where name = $1`, [declaration.name]);
    expect(await lineshaft.schedule(declaration)).toEqual({ ...first, result: 'kept' });
    expect(await site.rows(`select * from lineshaft.schedule where name = $1`, [declaration.name])).toEqual([
      row,
    ]);
    const payload = await lineshaft.schedule({ ...declaration, payload: { other: true }, overlap: 'skip' });
    expect(payload).toMatchObject({
      result: 'changed',
      nextRuns: first.nextRuns,
      payload: { other: true },
      overlap: 'skip',
    });
    const jittered = await lineshaft.schedule({ ...declaration, jitterMs: 1_000 });
    expect(jittered).toMatchObject({ result: 'changed', payload: {}, overlap: 'allow' });
    expect(
      Math.floor(((jittered.nextRunAt?.getTime() ?? 0) - (first.nextRunAt?.getTime() ?? 0)) / 1_000),
    ).toBe(0);
    const other = await lineshaft.schedule({ ...declaration, every: '2h' });
    expect(other.result).toBe('changed');
    expect(other.nextRunAt?.getTime()).toBeGreaterThan((first.nextRunAt?.getTime() ?? 0) + 3_599_000);
    expect(
      (await lineshaft.schedule({ ...declaration, cron: '@daily', every: undefined } as never)).everyMs,
    ).toBe(undefined);
  });

  test('a schedule is changed while workers run: the next tick is of the new kind', async () => {
    const queue = await site.queue();
    const seen: string[] = [];
    const kinds = { old: () => void seen.push('old'), new: () => void seen.push('new') };
    await site.work(queue, { handlers: kinds });
    const declaration = { name: freshName('s'), cron: '* * * * * *', options: { queue } };
    await site.lineshaft.schedule({ ...declaration, kind: 'old' });
    await until('an old one has run', () => seen.length > 0);
    await site.lineshaft.schedule({ ...declaration, kind: 'new' });
    await until('a new one has run', () => seen.includes('new'));
    expect(seen.slice(seen.indexOf('new'))).not.toContain('old');
  });

  test.each([
    ['none', 0],
    ['last', 1],
    [{ withinMs: 7_300_000 }, 2],
    [{ withinMs: 86_400_000, most: 3 }, 3],
  ] as const)('ticks that were missed, backfill %j: %i run', async (backfill, count) => {
    const queue = await site.queue();
    const { name } = await site.lineshaft.schedule({
      name: freshName('s'),
      every: '1h',
      kind: 'job',
      backfill,
      options: { queue },
    });
    // Five and a half hours ago, so five ticks, none of which is less than a minute old.
    await sinceMs(name, 5.5 * 3_600_000);
    await site.work([], { handlers: {} });
    const shown = await until('it was planned', async () => {
      const view = await site.lineshaft.showSchedule(name);
      return view.runs + view.missed > 0 && view;
    });
    expect(shown).toMatchObject({ runs: count, missed: 5 - count });
    const jobs = await jobsOf(name);
    expect(jobs).toHaveLength(count);
    expect(jobs.every(({ missed }) => missed === true)).toBe(true);
    expect(shown.nextRunAt?.getTime()).toBeGreaterThan(Date.now() + 1_700_000);
  });

  describe('while the job of the tick before is not final', () => {
    const start = async (
      overlap: ScheduleDeclaration['overlap'],
    ): Promise<{ name: string; queue: string }> => {
      const queue = await site.queue();
      const name = freshName('s');
      await site.lineshaft.schedule({
        name,
        cron: '* * * * * *',
        kind: 'job',
        ...(overlap && { overlap }),
        options: { queue },
      });
      return { name, queue };
    };
    const states = async (name: string): Promise<number> => (await jobsOf(name)).length;

    test('allow: the next runs beside it', async () => {
      const { name } = await start('allow');
      await site.work([], { handlers: {} });
      await until('three wait', async () => (await states(name)) >= 3);
    });

    test('skip: the tick is skipped, and counted; a dead letter is final', async () => {
      const { name, queue } = await start('skip');
      await site.work([], { handlers: {} });
      await until('two were skipped', async () => (await site.lineshaft.showSchedule(name)).skipped >= 2);
      expect(await states(name)).toBe(1);
      const [{ id }] = (await site.rows<{ id: string }>(
        `select id from lineshaft.job where options #>> '{labels,schedule}' = $1`,
        [name],
      )) as [{ id: string }];
      const fails = (): never => {
        throw new Error('no');
      };
      await site.lineshaft.declare({ name: queue, maxAttempts: 1 });
      await site.work(queue, { handlers: { job: fails } });
      await until('it failed', async () => (await site.lineshaft.showJob(id)).state === 'failed');
      await until('there is another', async () => (await site.lineshaft.showSchedule(name)).runs >= 2);
    });

    test('replace: it is cancelled', async () => {
      const { name } = await start('replace');
      await site.work([], { handlers: {} });
      const first = await until('one waits', async () => (await site.lineshaft.showSchedule(name)).lastRun);
      await until('others came', async () => (await site.lineshaft.showSchedule(name)).runs >= 3);
      expect(await states(name)).toBe(1);
      expect(await site.lineshaft.showJob(first.jobId)).toMatchObject({ state: 'cancelled' });
    });

    test('queue: the ticks wait for it, one after the other, and keep their times', async () => {
      const { name, queue } = await start('queue');
      const hold = gate();
      const seen: number[] = [];
      let running = 0;
      let most = 0;
      await site.work(queue, {
        handlers: {
          job: async (_payload: unknown, { schedule }: JobContext) => {
            running += 1;
            most = Math.max(most, running);
            await hold.opened;
            seen.push(schedule?.tick.getTime() ?? 0);
            running -= 1;
          },
        },
      });
      await until('three wait', async () => (await site.lineshaft.showSchedule(name)).waiting >= 3);
      expect(await states(name)).toBe(1);
      hold.open();
      await until('they have run', () => seen.length >= 4);
      expect(most).toBe(1);
      expect(seen).toEqual(seen.map((_, n) => (seen[0] ?? 0) + n * 1_000));
    });
  });

  test('paused with a reason it makes no job; what came due meanwhile is not made up for', async () => {
    const { lineshaft } = site;
    const { name } = await lineshaft.schedule(hourly({ backfill: { withinMs: 86_400_000 } }));
    await lineshaft.pauseSchedule(name, { reason: 'the mail server moves' });
    const paused = await lineshaft.showSchedule(name);
    expect(paused).toMatchObject({
      state: 'paused',
      pauseReason: 'the mail server moves',
      nextRunAt: undefined,
      nextRuns: [],
    });
    expect(paused.pausedAt).toBeInstanceOf(Date);
    // Declared anew by a program that starts, it stays paused.
    expect(await lineshaft.schedule(hourly({ name, payload: 1 }))).toMatchObject({
      state: 'paused',
      nextRuns: [],
    });
    await site.rows(
      `update lineshaft.schedule set plan_from = plan_from - interval '1 day' where name = $1`,
      [name],
    );
    await lineshaft.resumeSchedule(name);
    await site.work([], { handlers: {} });
    await until(
      'it is planned',
      async () =>
        (await site.rows('select from lineshaft.schedule where name = $1 and next_tick is not null', [name]))
          .length > 0,
    );
    expect(await lineshaft.showSchedule(name)).toMatchObject({
      state: 'active',
      pauseReason: undefined,
      runs: 0,
      missed: 0,
    });
  });

  test('a run that is asked for is a job at once, paused or not, and leaves the clock alone', async () => {
    const { lineshaft } = site;
    const queue = await site.queue();
    const { name, nextRunAt } = await lineshaft.schedule(hourly({ options: { queue, priority: 7 } }));
    let asked: ScheduledTick | undefined;
    const handler = (_payload: unknown, { schedule }: JobContext): void => {
      asked = schedule;
    };
    await site.work(queue, { handlers: { job: handler } });
    const id = await lineshaft.runSchedule(name);
    await lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(asked).toMatchObject({ name, asked: true });
    expect(await lineshaft.showSchedule(name)).toMatchObject({
      runs: 1,
      nextRunAt,
      lastRun: { jobId: id, state: 'succeeded' },
    });
    await lineshaft.pauseSchedule(name);
    await lineshaft.waitFor([await lineshaft.runSchedule(name)], { timeoutMs: 10_000 });
  });

  test('it begins and it ends', async () => {
    const [{ now } = { now: new Date() }] = await site.rows<{ now: Date }>('select clock_timestamp() as now');
    const startAt = new Date(now.getTime() + 1_500);
    const endAt = new Date(startAt.getTime() + 1_100);
    const { name, nextRuns } = await site.lineshaft.schedule({
      name: freshName('s'),
      every: 1_000,
      kind: 'job',
      startAt,
      endAt,
    });
    expect(nextRuns).toEqual([startAt, new Date(startAt.getTime() + 1_000)]);
    await site.work([], { handlers: {} });
    const ended = await until('it has ended', async () => {
      const view = await site.lineshaft.showSchedule(name);
      return view.state === 'ended' && view;
    });
    expect(ended).toMatchObject({ runs: 2, nextRunAt: undefined, nextRuns: [] });
  });

  test('one that cannot be enqueued says why; the others go on, and it too when that is mended', async () => {
    const { lineshaft } = site;
    const [gone, there] = [await site.queue(), await site.queue()];
    const broken = await lineshaft.schedule({
      name: freshName('s'),
      cron: '* * * * * *',
      kind: 'job',
      options: { queue: gone },
    });
    const whole = await lineshaft.schedule({
      name: freshName('s'),
      cron: '* * * * * *',
      kind: 'job',
      options: { queue: there },
    });
    await lineshaft.deleteQueue(gone);
    await site.work([], { handlers: {} });
    await until('the others run', async () => (await lineshaft.showSchedule(whole.name)).runs >= 2);
    const view = await until('it says why', async () => {
      const shown = await lineshaft.showSchedule(broken.name);
      return shown.trouble !== undefined && shown;
    });
    expect(view.trouble).toContain(`queue '${gone}' not found`);
    expect(view.runs).toBe(0);
    await lineshaft.declare({ name: gone });
    await until('it runs', async () => (await lineshaft.showSchedule(broken.name)).runs > 0);
    expect((await lineshaft.showSchedule(broken.name)).trouble).toBe(undefined);
  });

  test('a unique key: while its job waits, the tick is that job', async () => {
    const options = { unique: { key: freshName('key') } };
    const { name } = await site.lineshaft.schedule({
      name: freshName('s'),
      cron: '* * * * * *',
      kind: 'job',
      options,
    });
    await site.work([], { handlers: {} });
    await until('three ticks', async () => (await site.lineshaft.showSchedule(name)).runs >= 3);
    expect(await jobsOf(name)).toHaveLength(1);
  });

  test('a unique key that a stranger holds in an open transaction holds up its schedule alone', async () => {
    const { lineshaft } = site;
    const key = freshName('key');
    const rule = { cron: '* * * * * *', kind: 'job' };
    const held = await lineshaft.schedule({ ...rule, name: freshName('s'), options: { unique: { key } } });
    const free = await lineshaft.schedule({ ...rule, name: freshName('s') });
    await using stranger = await openStranger(site.url);
    await stranger.query(`select lineshaft.enqueue('other', '{}', $1)`, [{ unique: { key } }]);
    await site.work([], { handlers: {} });
    await until('the other goes on', async () => (await lineshaft.showSchedule(free.name)).runs >= 3);
    expect(await lineshaft.showSchedule(held.name)).toMatchObject({ runs: 0, trouble: undefined });
    await stranger.query('rollback');
    const ran = await until('it goes on too', async () => {
      const view = await lineshaft.showSchedule(held.name);
      return view.runs > 0 && view;
    });
    // The ticks that it could not make come late, and none is missed.
    expect(ran).toMatchObject({ missed: 0, trouble: undefined });
  });

  test('its jobs keep to kind, queue and requirements like all others', async () => {
    const queue = await site.queue();
    const options = {
      queue,
      requirements: ['capability=gpu'],
      maxAttempts: 2,
      priority: 3,
      limits: { timeoutMs: 9_000 },
    };
    const { name } = await site.lineshaft.schedule(hourly({ options }));
    const id = await site.lineshaft.runSchedule(name);
    expect(await site.lineshaft.showJob(id)).toMatchObject({
      queue,
      requirements: ['capability=gpu'],
      maxAttempts: 2,
      priority: 3,
    });
    expect(await site.lineshaft.showSchedule(name)).toMatchObject({ options });
  });

  test('what is wrong is refused before anything is written', async () => {
    const { lineshaft } = site;
    const tried = hourly();
    await expect(lineshaft.schedule({ ...tried, cron: '0 25 * * *' })).rejects.toThrow(
      'hour (field 2, character 3)',
    );
    await expect(lineshaft.schedule({ ...tried, kind: 'a b' })).rejects.toThrow('kind must be');
    await expect(lineshaft.schedule({ ...tried, options: { queue: 'defalt' } })).rejects.toThrow(
      "did you mean 'default'?",
    );
    await expect(lineshaft.schedule({ ...tried, project: 'nowhere' })).rejects.toThrow(
      "project 'nowhere' not found",
    );
    await expect(lineshaft.schedule({ ...tried, options: { priority: 99_999 } })).rejects.toThrow(
      'priority must be',
    );
    expect(await lineshaft.schedules()).toEqual([]);
    await lineshaft.schedule(hourly({ name: 'report' }));
    await expect(lineshaft.showSchedule('reprot')).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
    await expect(lineshaft.pauseSchedule('reprot')).rejects.toThrow("did you mean 'report'?");
    await expect(lineshaft.runSchedule('reprot')).rejects.toThrow("did you mean 'report'?");
  });

  describe('callers in SQL', () => {
    test('declare, run, pause and resume', async () => {
      const declare = `select * from lineshaft.declare_schedule('by-sql', '{"cron": "* * * * * *", "kind": "job"}')`;
      expect(await site.rows(declare)).toMatchObject([{ result: 'new' }]);
      expect(await site.rows(declare)).toMatchObject([{ result: 'kept' }]);
      await site.work([], { handlers: {} });
      await until('it runs', async () => (await site.lineshaft.showSchedule('by-sql')).runs > 0);
      await site.rows(`select lineshaft.pause_schedule('by-sql', 'enough')`);
      expect(await site.lineshaft.showSchedule('by-sql')).toMatchObject({
        state: 'paused',
        pauseReason: 'enough',
      });
      await site.rows(`select lineshaft.run_schedule('by-sql')`);
      await site.rows(`select lineshaft.resume_schedule('by-sql')`);
      await site.rows(`select lineshaft.delete_schedule('by-sql')`);
      expect(await site.lineshaft.schedules()).toEqual([]);
    });

    test.each([
      ['{"kind": "job"}', 'cron must be given'],
      ['{"cron": "* * *", "kind": "job"}', 'cron must be 5 or 6 fields'],
      [
        '{"cron": "* * * * *", "kind": "job", "timeZone": "Europe/Berln"}',
        'timeZone must be an IANA time zone',
      ],
      ['{"cron": "* * * * *", "kind": "job", "everyMs": 1000}', 'cron must be given, or else everyMs'],
      ['{"everyMs": 10, "kind": "job"}', 'everyMs must be a whole number from 1000'],
      ['{"everyMs": 1000, "kind": "job", "overlap": "x"}', 'overlap must be'],
      ['{"everyMs": 1000, "kind": "job", "backfill": {"within": 1}}', 'there is no option'],
      ['{"everyMs": 1000, "kind": "job", "startAt": "tomorrow"}', 'startAt must be a time with a zone'],
      ['{"everyMs": 1000, "kind": "job", "pause": true}', "there is no option 'pause'"],
      ['{"everyMs": 1000, "kind": "job", "options": {"queue": "nowhere"}}', "queue 'nowhere' not found"],
      [
        '{"everyMs": 1000, "kind": "job", "options": {"runAt": "2030-01-01T00:00:00Z"}}',
        'options.runAt must be left out',
      ],
      [
        '{"everyMs": 1000, "kind": "job", "options": {"labels": {"schedule": "x"}}}',
        'without a label or meta',
      ],
      ['{"everyMs": 1000}', 'kind must be'],
    ])('%s is refused', async (settings, message) => {
      const declared = site.rows(`select lineshaft.declare_schedule('wrong', $1)`, [settings]);
      await expect(declared).rejects.toThrow(message);
      await expect(declared).rejects.toMatchObject({ code: expect.stringMatching(/^LS40[04]$/) });
      expect(await site.lineshaft.schedules()).toEqual([]);
    });

    test('a rule that only TypeScript can read stops its schedule, which says what is wrong', async () => {
      await site.rows(`select lineshaft.declare_schedule('wrong', '{"cron": "99 * * * *", "kind": "job"}')`);
      await site.work([], { handlers: {} });
      const shown = await until('it says so', async () => {
        const view = await site.lineshaft.showSchedule('wrong');
        return view.trouble !== undefined && view;
      });
      expect(shown).toMatchObject({ state: 'ended', nextRuns: [] });
      expect(shown.trouble).toContain('minute (field 1, character 1)');
    });
  });
});
