/** Schedules of workflows: what they say, when they start runs, and what is kept of it. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowSchedule } from '../../packages/core/src/index.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';

const everySecond = '* * * * * *';

describe.each(versions)('PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
    const tasks = [{ name: 'work', taskReferenceName: 'work', type: 'SIMPLE' }];
    await site.lineshaft.workflows.putWorkflow({ name: 'flow', version: 1, tasks }, { overwrite: true });
  });
  afterEach(async () => {
    for (const { name } of await site.lineshaft.workflows.schedules.list()) {
      await site.lineshaft.workflows.schedules.delete(name);
    }
    await site.rest();
  });
  afterAll(() => site.close());

  const schedules = () => site.lineshaft.workflows.schedules;
  const given = (more: Partial<WorkflowSchedule> = {}): WorkflowSchedule => ({
    name: 'nightly',
    cronExpression: '0 0 3 ? * MON-FRI',
    zoneId: 'Europe/Berlin',
    startWorkflowRequest: { name: 'flow', version: 1, input: { n: 1 } },
    ...more,
  });

  test('is given back as it was put, with its times', async () => {
    const put = await schedules().put(given({ description: 'all books', createdBy: 'me' }));
    expect(put).toMatchObject({ ...given(), description: 'all books', createdBy: 'me', paused: false });
    const [next] = await schedules().next({
      cronExpression: '0 0 3 ? * MON-FRI',
      zoneId: 'Europe/Berlin',
      limit: 1,
    });
    expect(put.nextRunTime).toBe(next);
    const again = await schedules().put(given({ paused: true, pausedReason: 'holiday' }));
    expect(again).toMatchObject({ createTime: put.createTime, paused: true, pausedReason: 'holiday' });
    expect(again.nextRunTime).toBeUndefined();
    expect(again.description).toBeUndefined();
    await schedules().put(given({ name: 'other', startWorkflowRequest: { name: 'elsewhere' } }));
    expect((await schedules().list()).map(({ name }) => name)).toEqual(['nightly', 'other']);
    expect((await schedules().list({ workflow: 'elsewhere' })).map(({ name }) => name)).toEqual(['other']);
    // They are no schedules of jobs.
    expect(await site.lineshaft.schedules()).toEqual([]);
  });

  test('starts a run at each of its times, which it remembers', async () => {
    await site.work(await site.queue(), { handlers: { nothing: () => {} } });
    await schedules().put(given({ cronExpression: everySecond }));
    const found = await until('it has started three runs', async () => {
      const { totalHits, results } = await schedules().executions({ query: 'state = EXECUTED' });
      return totalHits >= 3 && results;
    });
    const ticks = found.map(({ scheduledTime }) => scheduledTime);
    expect(new Set(ticks).size).toBe(ticks.length);
    expect(ticks.every((tick) => tick % 1_000 === 0)).toBe(true);
    for (const { workflowId = '', scheduleName, workflowName, executionId } of found) {
      expect({ scheduleName, workflowName, executionId }).toEqual({
        scheduleName: 'nightly',
        workflowName: 'flow',
        executionId: workflowId,
      });
      expect((await site.lineshaft.workflows.show(workflowId)).run.input).toEqual({ n: 1 });
    }
    await schedules().pause('nightly', 'enough');
    expect(await schedules().get('nightly')).toMatchObject({ paused: true, pausedReason: 'enough' });
    const started = (
      await schedules().executions({ query: 'scheduleName = nightly', sort: 'scheduledTime:DESC' })
    ).results[0]?.scheduledTime;
    await schedules().resume('nightly');
    await until('it goes on', async () => {
      const { totalHits } = await schedules().executions({
        query: `scheduledTime > ${started} AND state = EXECUTED`,
      });
      return totalHits > 0;
    });
  });

  test('says why a run could not start', async () => {
    await site.work(await site.queue(), { handlers: { nothing: () => {} } });
    await schedules().put(given({ cronExpression: everySecond, startWorkflowRequest: { name: 'missing' } }));
    const [failed] = await until('it has failed', async () => {
      const { results } = await schedules().executions({ freeText: 'missing', query: 'state = FAILED' });
      return results.length > 0 && results;
    });
    expect(failed?.reason).toContain("workflow 'missing'");
    expect(failed?.workflowId).toBeUndefined();
  });

  test('makes up for what was missed, if it is asked to', async () => {
    const name = 'catching-up';
    await schedules().put(given({ name, cronExpression: '0 * * * * *', runCatchupScheduleInstances: true }));
    await schedules().put(given({ name: 'last', cronExpression: '0 * * * * *' }));
    await site.rows(
      `update lineshaft.schedule set plan_from = now() - interval '10 min', next_due = now() where workflow_schedule is not null`,
    );
    await site.work(await site.queue(), { handlers: { nothing: () => {} } });
    await until('all are started', async () => {
      const { totalHits } = await schedules().executions({
        query: `scheduleName = ${name} AND state = EXECUTED`,
      });
      return totalHits >= 10;
    });
    const { totalHits } = await schedules().executions({ query: 'scheduleName = last' });
    expect(totalHits).toBeLessThanOrEqual(2);
  });

  test('several rules, each in its zone; a day must fit both fields of days', async () => {
    const cronSchedules = [
      { cronExpression: '0 0 12 13 * FRI', zoneId: 'UTC' },
      { cronExpression: '0 0 12 13 * FRI', zoneId: 'UTC' },
      { cronExpression: '0 30 6 * * *', zoneId: 'Asia/Tokyo' },
    ];
    const { cronExpression: _one, zoneId: _zone, ...rest } = given();
    const put = await schedules().put({ ...rest, cronSchedules });
    expect(put.cronSchedules).toEqual(cronSchedules);
    expect(put.nextRunTime).toBeDefined();
    const fridays = await schedules().next({ cronExpression: '0 0 12 13 * FRI', limit: 4 });
    expect(fridays.map((at) => new Date(at).getUTCDay())).toEqual([5, 5, 5, 5]);
    expect(fridays.map((at) => new Date(at).getUTCDate())).toEqual([13, 13, 13, 13]);
    const from = Date.UTC(2040, 0, 1);
    const within = { from, to: from + 3_600_000 };
    expect(await schedules().next({ cronExpression: '0 */20 * * * *', ...within, limit: 10 })).toHaveLength(
      4,
    );
  });

  test('what is wrong is refused, with the field', async () => {
    const refused = async (schedule: unknown, field: string) =>
      expect(schedules().put(schedule as WorkflowSchedule)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        details: { field },
      });
    await refused(given({ cronExpression: '0 3 * * *' }), 'cronExpression');
    await refused(given({ cronExpression: '61 0 3 * * *' }), 'cronExpression');
    await refused(given({ zoneId: 'Mars/Olympus' }), 'zoneId');
    await refused({ ...given(), startWorkflowRequest: undefined }, 'startWorkflowRequest');
    await refused(given({ name: '' }), 'name');
    await refused(given({ scheduleStartTime: 2_000, scheduleEndTime: 1_000 }), 'scheduleEndTime');
    await expect(schedules().get('none')).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
    await expect(schedules().pause('none')).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
    await expect(schedules().delete('none')).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
  });
});
