/** What consoles ask: settings, pending tasks, repair. There is nothing to repair here: decisions are never lost. */

import type { Workflows } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import { json, list, plain } from '../answers.ts';
import { param, queryWhole, runIdOf } from '../given.ts';
import { answer, anyObject, flag, listOf, rawText, whole } from '../parameters.ts';
import { addRoute } from '../route.ts';
import { taskText } from '../wire/task.ts';

export interface Product {
  readonly version: string;
}

export function addAdminRoutes(app: FastifyInstance, workflows: Workflows, product: Product): void {
  addRoute(app, {
    method: 'GET',
    paths: ['/admin/config'],
    tag: 'admin',
    summary: 'What serves here',
    answers: { 200: answer('Settings') },
    handle: async (_request, reply) => json(reply, JSON.stringify({ ...product, server: 'lineshaft' })),
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/admin/task/:tasktype'],
    tag: 'admin',
    summary: 'Tasks of a type that are not over',
    query: { start: whole(0, 2 ** 31 - 1, 0), count: whole(0, 5_000, 100) },
    answers: { 200: answer('Tasks', listOf(anyObject)) },
    handle: async (request, reply) => {
      const type = param(request, 'tasktype').replaceAll('"', '');
      const tasks = await workflows.searchSteps({
        query: `taskType = "${type}" AND status IN (SCHEDULED,IN_PROGRESS)`,
        start: queryWhole(request, 'start', { least: 0, most: 2 ** 31 - 1, otherwise: 0 }),
        size: queryWhole(request, 'count', { least: 0, most: 5_000, otherwise: 100 }),
      });
      return json(reply, list(tasks.results.map(({ step, run }) => taskText(step, run))));
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/admin/sweep/requeue/:workflowId'],
    tag: 'admin',
    summary: 'Decide what comes next in a workflow',
    answers: { 200: rawText('true.ID') },
    handle: async (request, reply) => {
      const runId = runIdOf(request);
      await workflows.decide(runId);
      return plain(reply, `true.${runId}`);
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: [
      '/admin/consistency/verifyAndRepair/:workflowId',
      '/admin/consistency/verify-and-repair/:workflowId',
    ],
    tag: 'admin',
    summary:
      'Decide what comes next in a workflow; says whether something was repaired, which it never needs',
    answers: { 200: rawText('false') },
    handle: async (request, reply) => {
      await workflows.decide(runIdOf(request));
      return plain(reply, 'false');
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/admin/queues'],
    tag: 'admin',
    summary: 'Queues of outside events; there are none',
    query: { verbose: flag(false) },
    answers: { 200: answer('Queues by event') },
    handle: async (_request, reply) => json(reply, '{}'),
  });
}
