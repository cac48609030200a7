/** What callers do to runs: pause, resume, terminate, restart, retry, rerun, skip, remove, alone and in bulk. */
import { define, defineTasks, type Scenario, simple, step } from './scenario.ts';

const unknown = '00000000-0000-4000-8000-000000000000';

export const control: readonly Scenario[] = [
  {
    name: 'pause',
    async run(talk) {
      await defineTasks(talk, { name: 'pause_a' }, { name: 'pause_b' });
      await define(talk, 'pause', [simple('pause', 'a'), simple('pause', 'b')]);
      const run = await talk.start('pause');
      await talk.put(`/workflow/${run}/resume`);
      await talk.put(`/workflow/${run}/pause`);
      await talk.put(`/workflow/${run}/pause`);
      await talk.finish('pause_a');
      await talk.look(run);
      await talk.put(`/workflow/${run}/resume`);
      await talk.finish('pause_b');
      await talk.ended(run);
      await talk.put(`/workflow/${run}/pause`);
      await talk.put(`/workflow/${run}/resume`);
      await talk.put(`/workflow/${unknown}/pause`);
      await talk.put(`/workflow/${unknown}/resume`);
    },
  },
  {
    name: 'terminate',
    async run(talk) {
      await defineTasks(talk, { name: 'terminate_a' });
      await define(talk, 'terminate', [simple('terminate', 'a')], {
        outputParameters: { n: '${a.output.n}' },
      });
      const run = await talk.start('terminate');
      const task = await talk.task('terminate_a');
      await talk.delete(`/workflow/${run}`, { reason: 'no longer wanted' });
      await talk.look(run);
      await talk.report(task, 'COMPLETED', { late: true });
      await talk.look(run);
      await talk.delete(`/workflow/${run}`, { reason: 'again' });
      await talk.delete(`/workflow/${unknown}`);
      const done = await talk.start('terminate');
      await talk.finish('terminate_a', { n: 1 });
      await talk.ended(done);
      await talk.delete(`/workflow/${done}`);
    },
  },
  {
    name: 'restart',
    async run(talk) {
      await defineTasks(talk, { name: 'restart_a' }, { name: 'restart_b' });
      await define(talk, 'restart', [simple('restart', 'a')]);
      const run = await talk.start('restart', { n: 1 });
      await talk.post(`/workflow/${run}/restart`);
      await talk.finish('restart_a', { first: true });
      await talk.ended(run);
      await talk.put('/metadata/workflow', [
        { name: 'restart', version: 1, tasks: [simple('restart', 'a'), simple('restart', 'b')] },
      ]);
      await talk.post(`/workflow/${run}/restart`);
      await talk.finish('restart_a', { second: true });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/restart`, undefined, { useLatestDefinitions: true });
      await talk.finish('restart_a', { third: true });
      await talk.finish('restart_b', { third: true });
      await talk.ended(run);
      await talk.post(`/workflow/${unknown}/restart`);
    },
  },
  {
    name: 'restart-failed',
    async run(talk) {
      await defineTasks(talk, { name: 'restart-failed_a' });
      await define(talk, 'restart-failed', [simple('restart-failed', 'a')]);
      const run = await talk.start('restart-failed');
      await talk.finish('restart-failed_a', { n: 1 }, 'FAILED', { reasonForIncompletion: 'once' });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/restart`);
      await talk.look(run);
      await talk.finish('restart-failed_a', { n: 2 }, 'FAILED', { reasonForIncompletion: 'twice' });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/rerun`, {});
      await talk.look(run);
    },
  },
  {
    name: 'not-restartable',
    async run(talk) {
      await define(talk, 'not-restartable', [step('NOOP', 'a')], { restartable: false });
      const run = await talk.start('not-restartable');
      await talk.ended(run);
      await talk.post(`/workflow/${run}/restart`);
      await talk.post(`/workflow/${run}/retry`);
      await talk.post(`/workflow/${run}/rerun`, {});
    },
  },
  {
    name: 'retry',
    async run(talk) {
      await defineTasks(talk, { name: 'retry_a' }, { name: 'retry_b' });
      await define(talk, 'retry', [simple('retry', 'a'), simple('retry', 'b')]);
      const run = await talk.start('retry');
      await talk.post(`/workflow/${run}/retry`);
      await talk.finish('retry_a', { kept: true });
      await talk.finish('retry_b', {}, 'FAILED', { reasonForIncompletion: 'once' });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/retry`);
      await talk.look(run);
      await talk.finish('retry_b', { well: true });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/retry`);
      await talk.post(`/workflow/${unknown}/retry`);
    },
  },
  {
    name: 'retry-terminated',
    async run(talk) {
      await defineTasks(talk, { name: 'retry-terminated_a' });
      await define(talk, 'retry-terminated', [simple('retry-terminated', 'a')]);
      const run = await talk.start('retry-terminated');
      await talk.delete(`/workflow/${run}`);
      await talk.post(`/workflow/${run}/retry`);
      await talk.finish('retry-terminated_a', { well: true });
      await talk.ended(run);
    },
  },
  {
    name: 'rerun',
    async run(talk) {
      await defineTasks(talk, { name: 'rerun_a' }, { name: 'rerun_b' });
      await define(talk, 'rerun', [
        simple('rerun', 'a'),
        simple('rerun', 'b', { inputParameters: { n: '${a.output.n}' } }),
      ]);
      const run = await talk.start('rerun', { v: 1 });
      await talk.post(`/workflow/${run}/rerun`, {});
      await talk.finish('rerun_a', { n: 1 });
      await talk.finish('rerun_b', { n: 2 });
      const first = await talk.ended(run);
      const last = first.tasks[1]?.taskId;
      await talk.post(`/workflow/${run}/rerun`, { reRunFromTaskId: last, taskInput: { n: 9 } });
      await talk.look(run);
      await talk.finish('rerun_b', { n: 3 });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/rerun`, { workflowInput: { v: 2 }, correlationId: 'again' });
      await talk.finish('rerun_a', { n: 4 });
      await talk.finish('rerun_b', { n: 5 });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/rerun`, { reRunFromTaskId: unknown });
      await talk.post(`/workflow/${unknown}/rerun`, {});
    },
  },
  {
    name: 'skip',
    async run(talk) {
      await defineTasks(talk, { name: 'skip_a' }, { name: 'skip_b' }, { name: 'skip_c' });
      await define(talk, 'skip', [simple('skip', 'a'), simple('skip', 'b'), simple('skip', 'c')]);
      const run = await talk.start('skip');
      await talk.put(`/workflow/${run}/skiptask/a`);
      await talk.put(`/workflow/${run}/skiptask/none`);
      await talk.put(`/workflow/${run}/skiptask/b`);
      await talk.finish('skip_a');
      await talk.finish('skip_c');
      await talk.ended(run);
      await talk.put(`/workflow/${run}/skiptask/b`);
    },
  },
  {
    name: 'decide',
    async run(talk) {
      await define(talk, 'decide', [step('WAIT', 'wait')]);
      const run = await talk.start('decide');
      await talk.step(run, 'wait', 'IN_PROGRESS');
      await talk.put(`/workflow/decide/${run}`);
      await talk.put(`/workflow/decide/${unknown}`);
    },
  },
  {
    name: 'remove',
    async run(talk) {
      await define(talk, 'remove', [step('NOOP', 'a')]);
      const run = await talk.start('remove');
      await talk.ended(run);
      await talk.delete(`/workflow/${run}/remove`, { archiveWorkflow: false });
      await talk.get(`/workflow/${run}`);
      await talk.delete(`/workflow/${run}/remove`, { archiveWorkflow: false });
      await define(talk, 'remove-running', [step('WAIT', 'a')]);
      const other = await talk.start('remove-running');
      await talk.delete(`/workflow/${other}/terminate-remove`, { reason: 'gone', archiveWorkflow: false });
      await talk.get(`/workflow/${other}`);
    },
  },
  {
    name: 'bulk',
    async run(talk) {
      await define(talk, 'bulk', [step('WAIT', 'a')]);
      const runs = [await talk.start('bulk'), await talk.start('bulk')];
      for (const run of runs) await talk.step(run, 'a', 'IN_PROGRESS');
      const all = [...runs, unknown];
      await talk.put('/workflow/bulk/pause', all);
      await talk.put('/workflow/bulk/resume', all);
      await talk.put('/workflow/bulk/resume', runs);
      await talk.post('/workflow/bulk/restart', all);
      await talk.post('/workflow/bulk/retry', all);
      await talk.post('/workflow/bulk/terminate', all, { reason: 'all of them' });
      for (const run of runs) await talk.look(run);
      await talk.post('/workflow/bulk/restart', runs);
      await talk.post('/workflow/bulk/terminate', runs);
      await talk.post('/workflow/bulk/retry', runs);
      await talk.post('/workflow/bulk/search', all, { includeTasks: false });
      await talk.call('DELETE', '/workflow/bulk/terminate-remove', {
        body: runs,
        query: { archiveWorkflow: false },
      });
      await talk.call('DELETE', '/workflow/bulk/remove', { body: all, query: { archiveWorkflow: false } });
      await talk.put('/workflow/bulk/pause', []);
      await talk.put(
        '/workflow/bulk/pause',
        Array.from({ length: 1001 }, () => unknown),
      );
    },
  },
];
