/** `/queue`: tells a WAIT or HUMAN task from outside that it is over. Here that is done at once, without a queue. */

import { LineshaftError, type StepOfRun, type StepReport, type Workflows } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { done, json } from '../answers.ts';
import { demandStepId, invalid, objectBody, param, runIdOf } from '../given.ts';
import { answer, anyObject, noBody } from '../parameters.ts';
import { addRoute } from '../route.ts';

const statuses = ['COMPLETED', 'FAILED'] as const;

export function addEventQueueRoutes(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'GET',
    paths: ['/queue/size'],
    tag: 'queue-admin',
    summary: 'How many messages wait, by queue; none ever does',
    answers: { 200: answer('Sizes by queue') },
    handle: async (_request, reply) => json(reply, '{}'),
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/queue', '/queue/'],
    tag: 'queue-admin',
    summary: 'The queue of each status that can be told',
    answers: { 200: answer('Names by status') },
    handle: async (_request, reply) =>
      json(
        reply,
        JSON.stringify(Object.fromEntries(statuses.map((status) => [status, `conductor:${status}`]))),
      ),
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/queue/update/:workflowId/:taskRefName/:status'],
    tag: 'queue-admin',
    summary: 'End a waiting task by its reference; the body is added to its output',
    body: anyObject,
    answers: { 200: noBody('Told'), 400: answer('No queue has this status') },
    handle: async (request, reply) => {
      const runId = runIdOf(request);
      const taskRefName = param(request, 'taskRefName');
      const told = messageOf(request, { taskRefName, workflowId: runId });
      demandPending(await workflows.reportByRef(runId, taskRefName, told), taskRefName, runId);
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/queue/update/:workflowId/task/:taskId/:status'],
    tag: 'queue-admin',
    summary: 'End a waiting task by its id; the body is added to its output',
    body: anyObject,
    answers: { 200: noBody('Told'), 400: answer('No queue has this status') },
    handle: async (request, reply) => {
      const runId = runIdOf(request);
      const stepId = demandStepId(param(request, 'taskId'));
      await workflows.report({ stepId, ...messageOf(request, { taskId: stepId, workflowId: runId }) });
      return done(reply);
    },
  });
}

/** As the message would be that Conductor puts into its queue and reads there. */
function messageOf(
  request: FastifyRequest,
  externalId: Readonly<Record<string, string>>,
): Omit<StepReport, 'stepId'> {
  const given = param(request, 'status');
  const status = statuses.find((each) => each === given);
  if (status === undefined)
    throw invalid('status', `There is no queue for handling ${given} status`, undefined);
  return { status, merge: true, output: { ...objectBody(request), externalId: JSON.stringify(externalId) } };
}

/** @throws LineshaftError REQUEST_INVALID */
function demandPending(reported: StepOfRun | undefined, ref: string, runId: string): void {
  if (reported !== undefined) return;
  throw new LineshaftError('REQUEST_INVALID', {
    message: `No task ${ref} of workflow ${runId} waits`,
    details: { field: 'taskRefName' },
  });
}
