/** The same change of many workflows: each for itself, and told which of them could not be changed and why. */

import { type RunView, runModel, stepModel, type Workflows } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest, HTTPMethods } from 'fastify';
import { json } from '../answers.ts';
import { saidOf } from '../error-response.ts';
import { demandRunId, queryFlag, queryText, textsBody, violated } from '../given.ts';
import { answer, flag, text, texts } from '../parameters.ts';
import { addRoute } from '../route.ts';
import { terminateAndRemove } from './control.ts';
import { showAll } from './workflow-search.ts';

const idsMax = 1_000;
const changedAtOnce = 16;

/** What Conductor calls the change in errors of validation, where it is not as its path. */
const validated: Readonly<Record<string, string>> = {
  pause: 'pauseWorkflow',
  resume: 'resumeWorkflow',
  remove: 'deleteWorkflow',
  'terminate-remove': 'terminateRemove',
};

type Change = (request: FastifyRequest) => (runId: string) => Promise<void>;

export function addBulkRoutes(app: FastifyInstance, workflows: Workflows): void {
  const add = (
    methods: readonly HTTPMethods[],
    name: string,
    change: Change,
    query: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
  ): void => {
    for (const method of methods) {
      addRoute(app, {
        method,
        paths: [`/workflow/bulk/${name}`],
        tag: 'workflow-bulk',
        summary: `${name} of up to 1,000 workflows`,
        query,
        body: texts,
        answers: { 200: answer('Which were changed, and which were not and why') },
        handle: async (request, reply) =>
          json(reply, await changeAll(idsOf(request, `${validated[name] ?? name}.arg0`), change(request))),
      });
    }
  };
  add(['PUT'], 'pause', () => (id) => workflows.pause(id));
  add(['PUT'], 'resume', () => (id) => workflows.resume(id));
  add(
    ['POST'],
    'restart',
    (request) => {
      const useLatestDefinitions = queryFlag(request, 'useLatestDefinitions', false);
      return (id) => workflows.restart(id, { useLatestDefinitions });
    },
    { useLatestDefinitions: flag(false) },
  );
  add(['POST'], 'retry', () => (id) => workflows.retry(id));
  add(['POST'], 'terminate', (request) => terminating(workflows, request), {
    reason: text,
    triggerFailureWorkflow: flag(false),
  });
  add(['DELETE'], 'remove', () => (id) => workflows.remove(id), { archiveWorkflow: flag(true) });
  add(
    ['DELETE'],
    'terminate-remove',
    (request) => {
      const reason = queryText(request, 'reason');
      return (id) => terminateAndRemove(workflows, id, reason);
    },
    { reason: text, archiveWorkflow: flag(true) },
  );
  addSearch(app, workflows);
}

function terminating(workflows: Workflows, request: FastifyRequest): (runId: string) => Promise<void> {
  const reason = queryText(request, 'reason');
  const triggerFailureWorkflow = queryFlag(request, 'triggerFailureWorkflow', false);
  return (id) =>
    workflows.terminate(id, { ...(reason === undefined ? {} : { reason }), triggerFailureWorkflow });
}

function addSearch(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/bulk/search'],
    tag: 'workflow-bulk',
    summary: 'Show up to 1,000 workflows',
    query: { includeTasks: flag(true) },
    body: texts,
    answers: { 200: answer('Those that there are, and the ids of the others') },
    handle: async (request, reply) => {
      const steps = queryFlag(request, 'includeTasks', true);
      const ids = idsOf(request, 'searchWorkflow.arg0');
      const views = await showAll(workflows, ids.filter(isRunId), steps);
      const known = new Map(views.map((view) => [view.run.id, view]));
      const missing = ids.filter((id) => !known.has(id.toLowerCase()));
      const errors = Object.fromEntries(missing.map((id) => [id, `No such workflow found by id: ${id}`]));
      return json(reply, bulkText(errors, JSON.stringify(views.map((view) => modelOf(view, steps)))));
    },
  });
}

/** Here Conductor shows its own model, unlike everywhere else. */
function modelOf({ run, steps }: RunView, shown: boolean): object {
  return runModel(run, shown ? steps.map((step) => stepModel(run, step)) : []);
}

function isRunId(id: string): boolean {
  try {
    demandRunId(id);
    return true;
  } catch {
    return false;
  }
}

/** @throws LineshaftError REQUEST_INVALID */
function idsOf(request: FastifyRequest, path: string): string[] {
  const ids = textsBody(request);
  if (ids.length === 0) throw violated([{ path, message: 'WorkflowIds list cannot be null.' }]);
  if (ids.length <= idsMax) return ids;
  throw violated([
    { path, message: `Cannot process more than ${idsMax} workflows. Please use multiple requests.` },
  ]);
}

/** One after the other where an id is named twice; else some at once. */
async function changeAll(ids: readonly string[], change: (runId: string) => Promise<void>): Promise<string> {
  const errors: Record<string, string> = {};
  const changed: string[] = [];
  const one = async (id: string): Promise<void> => {
    try {
      await change(demandRunId(id));
      changed.push(id);
    } catch (error) {
      errors[id] = saidOf(error);
    }
  };
  const unique = [...new Set(ids)];
  for (let from = 0; from < unique.length; from += changedAtOnce) {
    await Promise.all(unique.slice(from, from + changedAtOnce).map(one));
  }
  const order = new Map(unique.map((id, place) => [id, place]));
  changed.sort((first, second) => (order.get(first) ?? 0) - (order.get(second) ?? 0));
  return bulkText(errors, JSON.stringify(changed));
}

/** BulkResponse. */
export function bulkText(errors: Readonly<Record<string, string>>, successes: string): string {
  return (
    `{"bulkErrorResults":${JSON.stringify(errors)},"bulkSuccessfulResults":${successes}` +
    ',"message":"Bulk Request has been processed."}'
  );
}
