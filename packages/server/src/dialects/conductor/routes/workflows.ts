/** Runs of workflows: start them, look at them, by their ids or what else is known of them. */

import { LineshaftError, type RunView, type Workflows, type WrittenRun } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { json, jsonParts, list, plain } from '../answers.ts';
import {
  demandFilled,
  field,
  objectBody,
  param,
  queryFlag,
  queryText,
  queryTexts,
  queryTime,
  queryWhole,
  runIdOf,
  textsBody,
} from '../given.ts';
import {
  answer,
  anyObject,
  flag,
  listOf,
  rawText,
  startWorkflowRequest,
  text,
  texts,
  time,
  whole,
} from '../parameters.ts';
import { addRoute } from '../route.ts';
import { rehearsalOf, startRequestOf } from '../start-request.ts';
import { taskText } from '../wire/task.ts';
import { workflowParts, workflowStatusText, workflowText } from '../wire/workflow.ts';

export function addWorkflowRoutes(app: FastifyInstance, workflows: Workflows): void {
  addStarts(app, workflows);
  addShowing(app, workflows);
  addCorrelated(app, workflows);
  addRoute(app, {
    method: 'GET',
    paths: ['/workflow/running/:name'],
    tag: 'workflow',
    summary: 'Ids of the workflows that run; with both times all that were created between them',
    query: { version: whole(0, 2 ** 31 - 1, 1), startTime: time, endTime: time },
    answers: { 200: answer('Ids', texts) },
    handle: async (request, reply) => {
      const version = queryWhole(request, 'version', { least: 0, most: 2 ** 31 - 1, otherwise: 1 });
      const [from, to] = [queryTime(request, 'startTime'), queryTime(request, 'endTime')];
      const between = from === undefined || to === undefined || to === 0 ? undefined : { from, to };
      return json(reply, JSON.stringify(await workflows.running(param(request, 'name'), version, between)));
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/test'],
    tag: 'workflow',
    summary: 'Run a workflow in memory, with outcomes of tasks that are given',
    body: { ...startWorkflowRequest, description: 'with taskRefToMockOutput and subWorkflowTestRequest' },
    answers: { 200: answer('The workflow as it came out') },
    handle: async (request, reply) =>
      json(reply, workflowText(await workflows.rehearse(rehearsalOf(objectBody(request))))),
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/:workflowId/messages'],
    tag: 'workflow',
    summary: 'Put a message where PULL_WORKFLOW_MESSAGES takes it',
    body: anyObject,
    answers: {
      200: rawText('The id of the message'),
      409: answer('The workflow has ended'),
      429: answer('The inbox is full'),
    },
    handle: async (request, reply) =>
      plain(reply, await workflows.sendMessage(runIdOf(request), objectBody(request))),
  });
}

function addStarts(app: FastifyInstance, workflows: Workflows): void {
  const answers = { 200: rawText('The id of the workflow'), 404: answer('There is no such definition') };
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow'],
    tag: 'workflow',
    summary: 'Start a workflow',
    body: startWorkflowRequest,
    answers,
    config: { frequent: true, words: 'start' },
    handle: async (request, reply) =>
      plain(reply, await workflows.start(startRequestOf(objectBody(request)))),
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/:name'],
    tag: 'workflow',
    summary: 'Start a workflow by its name; the body is its input',
    query: { version: whole(0, 2 ** 31 - 1), correlationId: text, priority: whole(0, 99, 0) },
    body: anyObject,
    answers,
    config: { frequent: true },
    handle: async (request, reply) => {
      const named = {
        name: param(request, 'name'),
        version: queryText(request, 'version'),
        correlationId: queryText(request, 'correlationId'),
        priority: queryText(request, 'priority'),
        input: request.body === null ? null : objectBody(request),
      };
      return plain(reply, await workflows.start(startRequestOf(named)));
    },
  });
}

function addShowing(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'GET',
    paths: ['/workflow/:workflowId'],
    tag: 'workflow',
    summary: 'A workflow, with its tasks',
    query: { includeTasks: flag(true) },
    answers: { 200: answer('The workflow'), 404: answer('There is no such workflow') },
    config: { frequent: true, words: 'workflow' },
    handle: async (request, reply) => {
      const runId = runIdOf(request);
      const tasks = queryFlag(request, 'includeTasks', true);
      const view = tasks ? await workflows.showWritten(runId) : await workflows.show(runId, { steps: false });
      return jsonParts(reply, workflowParts(view, tasks));
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/workflow/:workflowId/status'],
    tag: 'workflow',
    summary: 'The status of a workflow',
    query: { includeOutput: flag(false), includeVariables: flag(false) },
    answers: { 200: answer('Its status') },
    config: { frequent: true },
    handle: async (request, reply) => {
      const output = queryFlag(request, 'includeOutput', false);
      const variables = queryFlag(request, 'includeVariables', false);
      const { run } = await workflows.show(runIdOf(request), { steps: false });
      return json(reply, workflowStatusText(run, { output, variables }));
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/workflow/:workflowId/tasks'],
    tag: 'workflow',
    summary: 'Tasks of a workflow, page by page',
    query: { start: whole(0, 2 ** 31 - 1, 0), count: whole(0, 5_000, 15), status: texts },
    answers: { 200: answer('The page') },
    handle: async (request, reply) =>
      json(reply, pageText(await workflows.showWritten(runIdOf(request)), request)),
  });
}

function pageText({ run, steps }: WrittenRun, request: FastifyRequest): string {
  const start = queryWhole(request, 'start', { least: 0, most: 2 ** 31 - 1, otherwise: 0 });
  const count = queryWhole(request, 'count', { least: 0, most: 5_000, otherwise: 15 });
  const statuses = queryTexts(request, 'status');
  const fit = statuses.length === 0 ? steps : steps.filter(({ status }) => statuses.includes(status));
  const page = fit.slice(start, start + count).map((step) => taskText(step, run));
  return `{"totalHits":${fit.length},"results":${list(page)}}`;
}

function addCorrelated(app: FastifyInstance, workflows: Workflows): void {
  const query = { includeClosed: flag(false), includeTasks: flag(false) };
  addRoute(app, {
    method: 'GET',
    paths: ['/workflow/:name/correlated/:correlationId'],
    tag: 'workflow',
    summary: 'Workflows of a correlation id',
    query,
    answers: { 200: answer('Workflows', listOf(anyObject)) },
    handle: async (request, reply) => {
      const { views, steps } = await correlated(
        workflows,
        request,
        [param(request, 'name')],
        [param(request, 'correlationId')],
      );
      return json(reply, list(views.map((view) => workflowText(view, steps))));
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/:name/correlated'],
    tag: 'workflow',
    summary: 'Workflows of several correlation ids, by id',
    query,
    body: texts,
    answers: { 200: answer('Workflows by correlation id') },
    handle: async (request, reply) => {
      const ids = textsBody(request);
      demandFew(ids);
      return json(reply, byIdText(ids, await correlated(workflows, request, [param(request, 'name')], ids)));
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/correlated/batch'],
    tag: 'workflow',
    summary: 'Workflows of several names and correlation ids, by id',
    query,
    body: { type: 'object', properties: { workflowNames: texts, correlationIds: texts } },
    answers: { 200: answer('Workflows by correlation id') },
    handle: async (request, reply) => {
      const body = objectBody(request);
      const [names = [], ids = []] = ['workflowNames', 'correlationIds'].map((name) =>
        field(body, name)
          .list()
          .map((each) => String(each)),
      );
      demandFew(ids);
      demandFew(names);
      return json(reply, byIdText(ids, await correlated(workflows, request, names, ids)));
    },
  });
}

interface Correlated {
  readonly views: readonly RunView[];
  readonly steps: boolean;
}

async function correlated(
  workflows: Workflows,
  request: FastifyRequest,
  names: readonly string[],
  ids: readonly string[],
): Promise<Correlated> {
  demandFilled(names.map((name) => ['name', name, 'Workflow name cannot be null or empty.'] as const));
  const closed = queryFlag(request, 'includeClosed', false);
  const steps = queryFlag(request, 'includeTasks', false);
  return { views: await workflows.correlated(names, ids, { closed, steps }), steps };
}

/** Every id is there, also those of no workflow. */
function byIdText(ids: readonly string[], { views, steps }: Correlated): string {
  const byId = Map.groupBy(views, ({ run }) => run.correlationId ?? '');
  const entries = [...new Set(ids)].map(
    (id) => `${JSON.stringify(id)}:${list((byId.get(id) ?? []).map((view) => workflowText(view, steps)))}`,
  );
  return `{${entries.join(',')}}`;
}

const correlationIdsMax = 1_000;

function demandFew(ids: readonly string[]): void {
  if (ids.length <= correlationIdsMax) return;
  throw new LineshaftError('REQUEST_INVALID', {
    message: `at most ${correlationIdsMax} at once, not ${ids.length}`,
    details: { field: 'body' },
  });
}
