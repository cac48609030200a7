/** Queues of tasks: how much waits, who has polled, giving tasks to the queue again, and searching tasks. */

import type { PollRecord, RunSearch, Workflows } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { json, list, plain } from '../answers.ts';
import { param, queryText, queryTexts, queryWhole, requiredText, violated } from '../given.ts';
import { answer, anyObject, found, listOf, rawText, searchQuery, text, texts } from '../parameters.ts';
import { addRoute } from '../route.ts';
import { foundText, taskSummaryText } from '../wire/summary.ts';
import { property, quoted, taskText } from '../wire/task.ts';

const counts = answer('How many wait, by type', {
  type: 'object',
  additionalProperties: { type: 'integer' },
});

export function addQueueRoutes(app: FastifyInstance, workflows: Workflows): void {
  addSizes(app, workflows);
  addPollData(app, workflows);
  addTaskSearch(app, workflows);
  addRoute(app, {
    method: 'POST',
    paths: ['/tasks/queue/requeue/:taskType', '/task/queue/requeue/:taskType'],
    tag: 'tasks',
    summary: 'Put tasks that wait into their queue again, where they are missing',
    answers: { 200: rawText('How many') },
    handle: async (request, reply) =>
      plain(reply, String(await workflows.requeue(param(request, 'taskType')))),
  });
}

function addSizes(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/queue/sizes', '/task/queue/sizes'],
    tag: 'tasks',
    summary: 'How many tasks of each type wait, with and without a domain',
    query: { taskType: texts },
    answers: { 200: counts },
    handle: async (request, reply) => {
      const types = queryTexts(request, 'taskType');
      const sizes = await workflows.queueSizes(types);
      return json(
        reply,
        JSON.stringify(Object.fromEntries(types.map((type) => [type, sizes.get(type) ?? 0]))),
      );
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/queue/size', '/task/queue/size'],
    tag: 'tasks',
    summary: 'How many tasks of a type wait',
    query: { taskType: text, domain: text, isolationGroupId: text, executionNamespace: text },
    required: ['taskType'],
    answers: { 200: answer('How many', { type: 'integer' }) },
    handle: async (request, reply) => {
      const name = queueName(request);
      return json(reply, String((await workflows.queueSizes([name])).get(name) ?? 0));
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/queue/all', '/task/queue/all'],
    tag: 'tasks',
    summary: 'How many tasks wait, by queue',
    answers: { 200: counts },
    handle: async (_request, reply) => {
      const sizes = await allSizes(workflows);
      return json(reply, JSON.stringify(Object.fromEntries(sizes)));
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/queue/all/verbose', '/task/queue/all/verbose'],
    tag: 'tasks',
    summary: 'The same by queue and shard; there is one shard',
    answers: { 200: answer('Sizes by queue and shard') },
    handle: async (_request, reply) => {
      const sizes = await allSizes(workflows);
      const shards = sizes.map(([queue, size]) => [queue, { a: { size, uacked: 0 } }]);
      return json(reply, JSON.stringify(Object.fromEntries(shards)));
    },
  });
}

/** `domain:type@namespace-group`: one name for each place where tasks wait. */
function queueName(request: FastifyRequest): string {
  const type = requiredText(request, 'taskType');
  const domain = queryText(request, 'domain');
  const namespace = queryText(request, 'executionNamespace');
  const group = queryText(request, 'isolationGroupId');
  return `${domain ? `${domain}:` : ''}${type}${namespace ? `@${namespace}` : ''}${group ? `-${group}` : ''}`;
}

/** By name. Decisions need no queue; its name is there because consoles look for it. */
async function allSizes(workflows: Workflows): Promise<[string, number][]> {
  const sizes = new Map([['_deciderQueue', 0], ...(await workflows.queueSizes())]);
  return [...sizes].sort(([one], [other]) => (one < other ? -1 : 1));
}

function addPollData(app: FastifyInstance, workflows: Workflows): void {
  const answers = { 200: answer('The last poll of each domain', listOf(anyObject)) };
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/queue/polldata', '/task/queue/poll-data', '/task/queue/polldata'],
    tag: 'tasks',
    summary: 'Who has polled for a type lately',
    query: { taskType: text },
    required: ['taskType'],
    answers,
    handle: async (request, reply) => {
      const records = await workflows.pollRecords(requiredText(request, 'taskType'));
      return json(reply, list(records.map(pollDataText)));
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/queue/polldata/all', '/task/queue/poll-data/all', '/task/queue/polldata/all'],
    tag: 'tasks',
    summary: 'Who has polled lately',
    answers,
    handle: async (_request, reply) => {
      const records = await workflows.pollRecords();
      return json(reply, list(records.map(pollDataText)));
    },
  });
}

function pollDataText({ kind, domain, workerId, at }: PollRecord): string {
  return `{"queueName":${quoted(kind)}${property('domain', domain)},"workerId":${quoted(workerId)},"lastPollTime":${at}}`;
}

function addTaskSearch(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/search', '/task/search'],
    tag: 'tasks',
    summary: 'Search tasks: summaries',
    query: searchQuery,
    answers: { 200: found('Tasks') },
    handle: async (request, reply) =>
      json(
        reply,
        foundText(await workflows.searchSteps(searchOf(request, searchedTasksMax)), taskSummaryText),
      ),
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/tasks/search-v2', '/task/search-v2'],
    tag: 'tasks',
    summary: 'Search tasks: whole ones',
    query: searchQuery,
    answers: { 200: found('Tasks') },
    handle: async (request, reply) => {
      const tasks = await workflows.searchSteps(searchOf(request, searchedTasksMax));
      return json(
        reply,
        foundText(tasks, ({ step, run }) => taskText(step, run)),
      );
    },
  });
}

const searchedTasksMax = 5_000;

/** What searches have in common; more than `sizeMax` at once is refused. @throws LineshaftError REQUEST_INVALID */
export function searchOf(request: FastifyRequest, sizeMax: number): RunSearch {
  const [query, freeText, sort] = ['query', 'freeText', 'sort'].map((name) => queryText(request, name));
  return {
    start: queryWhole(request, 'start', { least: 0, most: 2 ** 31 - 1, otherwise: 0 }),
    size: sizeOf(request, sizeMax),
    ...(query === undefined || query === '' ? {} : { query }),
    ...(freeText === undefined || freeText === '' ? {} : { freeText }),
    ...(sort === undefined || sort === '' ? {} : { sort }),
  };
}

function sizeOf(request: FastifyRequest, sizeMax: number): number {
  const size = queryWhole(request, 'size', { least: 0, most: 2 ** 31 - 1, otherwise: 100 });
  if (size <= sizeMax) return size;
  const message = `Cannot return more than ${sizeMax} workflows. Please use pagination.`;
  throw violated([{ path: 'searchWorkflows.arg1', message, invalidValue: String(size) }]);
}
