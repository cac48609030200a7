/** What workers call all the time: polls and updates, in both spellings. */

import type { ServerResponse } from 'node:http';
import type { PolledStep, Workflows } from '@lineshaft/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { json, list, nothing, plain } from '../answers.ts';
import { objectBody, param, queryText, queryWhole, reportOf } from '../given.ts';
import { answer, anyObject, listOf, noBody, rawText, taskResult, text, whole } from '../parameters.ts';
import { addRoute } from '../route.ts';
import { taskText } from '../wire/task.ts';

/** Conductor refuses more than 5 s; whoever asks for more gets it here, up to a minute. */
export const longestPollMs = 60_000;
export const shortPollMs = 100;
export const countMax = 1_000;

const frequent = { frequent: true, action: 'work' } as const;
const pollQuery = { workerid: text, domain: text };

export function addPollRoutes(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/poll/:tasktype', '/task/poll/:tasktype'],
    tag: 'tasks',
    summary: 'Poll for a task of a type',
    query: pollQuery,
    answers: { 200: answer('A task'), 204: noBody('There is none') },
    config: frequent,
    handle: async (request, reply) => {
      const [polled] = await poll(workflows, request, reply, { count: 1, timeoutMs: shortPollMs });
      return polled === undefined ? nothing(reply) : json(reply, polledText(polled));
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/poll/batch/:tasktype', '/task/poll/batch/:tasktype'],
    tag: 'tasks',
    summary: 'Poll for several tasks of a type',
    query: { ...pollQuery, count: whole(0, countMax, 1), timeout: whole(0, longestPollMs, shortPollMs) },
    answers: { 200: answer('Tasks, or an empty list', listOf(anyObject)) },
    config: frequent,
    handle: async (request, reply) => {
      const count = queryWhole(request, 'count', { least: 0, most: 2 ** 31 - 1, otherwise: 1 });
      const timeoutMs = queryWhole(request, 'timeout', {
        least: 0,
        most: longestPollMs,
        otherwise: shortPollMs,
        message: `Long Poll Timeout value cannot be more than ${longestPollMs / 1_000} seconds`,
      });
      if (count === 0) return json(reply, '[]');
      const polled = await poll(workflows, request, reply, { count: Math.min(count, countMax), timeoutMs });
      return json(reply, list(polled.map(polledText)));
    },
  });
  addUpdates(app, workflows);
}

function addUpdates(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'POST',
    paths: ['/tasks', '/task'],
    tag: 'tasks',
    summary: 'Report how a task goes, or has ended',
    body: taskResult,
    answers: { 200: rawText('The id of the task'), 404: answer('There is no such task') },
    config: frequent,
    handle: async (request, reply) => {
      const body = objectBody(request);
      await workflows.report(reportOf(body));
      return plain(reply, String(body.taskId));
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/tasks/update-v2', '/task/update-v2'],
    tag: 'tasks',
    summary: 'Report on a task, and get the next of the same type and domain',
    body: taskResult,
    answers: { 200: answer('The next task'), 204: noBody('There is none, or the task is not over') },
    config: frequent,
    handle: async (request, reply) => {
      const report = reportOf(objectBody(request));
      const reported = await workflows.report(report);
      if (reported === undefined || report.status === 'IN_PROGRESS' || report.extendLease)
        return nothing(reply);
      const { type, domain } = reported.step;
      const [next] = await workflows.poll({
        kind: type,
        ...(domain === undefined ? {} : { domain }),
        workerId: report.workerId ?? '',
        count: 1,
        timeoutMs: shortPollMs,
        signal: reply.lifetime(),
        confirm: true,
      });
      if (next === undefined) return nothing(reply);
      confirmWhenSent(workflows, reply.raw, [next]);
      return json(reply, polledText(next));
    },
  });
}

async function poll(
  workflows: Workflows,
  request: FastifyRequest,
  reply: FastifyReply,
  wanted: { readonly count: number; readonly timeoutMs: number },
): Promise<PolledStep[]> {
  const domain = queryText(request, 'domain');
  const polled = await workflows.poll({
    kind: param(request, 'tasktype'),
    ...(domain === undefined ? {} : { domain }),
    workerId: queryText(request, 'workerid') ?? '',
    ...wanted,
    ...(wanted.timeoutMs === 0 ? {} : { signal: reply.lifetime() }),
    confirm: true,
  });
  confirmWhenSent(workflows, reply.raw, polled);
  return polled;
}

/** What a worker cannot have received, since the connection was cut, goes to the next one at once. */
export function confirmWhenSent(
  workflows: Workflows,
  response: ServerResponse,
  polled: readonly PolledStep[],
): void {
  if (polled.length === 0) return;
  const stepIds = polled.map(({ step }) => step.id);
  let sent = false;
  const giveBack = (): void => {
    // Without the database they wait again when nobody has said for a while that they were sent.
    if (!sent) workflows.giveBack(stepIds).catch(() => {});
  };
  response.once('finish', () => {
    sent = true;
    workflows.confirmPoll(stepIds);
  });
  if (response.closed) giveBack();
  else response.once('close', giveBack);
}

export function polledText({ step, run }: PolledStep): string {
  return taskText(step, run);
}
