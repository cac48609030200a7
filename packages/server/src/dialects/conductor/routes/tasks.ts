/** One task: by its id or by its reference, and its logs. */

import {
  isLineshaftError,
  LineshaftError,
  type StepLog,
  type StepOfRun,
  type Workflows,
} from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { done, json, list, nothing, plain } from '../answers.ts';
import { demandStepId, objectBody, param, queryText, reportStatus, runIdOf } from '../given.ts';
import { answer, anyObject, listOf, noBody, rawText, text } from '../parameters.ts';
import { addRoute, type Edition } from '../route.ts';
import { taskText } from '../wire/task.ts';
import { workflowText } from '../wire/workflow.ts';

export function addTaskRoutes(app: FastifyInstance, workflows: Workflows): void {
  addShowing(app, workflows, '/tasks', 'oss');
  addShowing(app, workflows, '/task', 'swift');
  addLogging(app, workflows);
  addByReference(app, workflows);
}

function addShowing(app: FastifyInstance, workflows: Workflows, root: string, edition: Edition): void {
  addRoute(app, {
    method: 'GET',
    paths: [`${root}/:taskId`],
    tag: 'tasks',
    summary: 'A task',
    answers:
      edition === 'swift'
        ? { 200: answer('The task'), 204: noBody('There is no such task') }
        : { 200: answer('The task'), 404: answer('There is no such task') },
    config: { words: 'task' },
    handle: async (request, reply) => {
      try {
        const { step, run } = await workflows.showStep(demandStepId(param(request, 'taskId')));
        return json(reply, taskText(step, run));
      } catch (error) {
        if (edition === 'swift' && isLineshaftError(error, 'STEP_NOT_FOUND')) return nothing(reply);
        throw error;
      }
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: [`${root}/:taskId/log`],
    tag: 'tasks',
    summary: 'What workers have logged of a task',
    answers:
      edition === 'swift'
        ? { 200: answer('Its logs', listOf(anyObject)) }
        : { 200: answer('Its logs', listOf(anyObject)), 204: noBody('There are none') },
    handle: async (request, reply) => {
      const taskId = demandStepId(param(request, 'taskId'));
      const logs = await logsOf(workflows, taskId);
      if (logs.length === 0 && edition === 'oss') return nothing(reply);
      return json(reply, list(logs.map((log) => JSON.stringify({ ...log, taskId }))));
    },
  });
}

/** Of a task that is not there, there are no logs. */
async function logsOf(workflows: Workflows, taskId: string): Promise<StepLog[]> {
  try {
    return await workflows.logs(taskId);
  } catch (error) {
    if (isLineshaftError(error, 'STEP_NOT_FOUND')) return [];
    throw error;
  }
}

function addLogging(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'POST',
    paths: ['/tasks/:taskId/log', '/task/:taskId/log'],
    tag: 'tasks',
    summary: 'Log a line of a task; the body is kept as it is',
    body: text,
    config: { body: 'text', frequent: true, action: 'work' },
    handle: async (request, reply) => {
      const log = typeof request.body === 'string' ? request.body : '';
      await workflows.addLog(demandStepId(param(request, 'taskId')), { log, createdTime: Date.now() });
      return done(reply);
    },
  });
}

function addByReference(app: FastifyInstance, workflows: Workflows): void {
  const paths = (end: string): string[] => [
    `/tasks/:workflowId/:taskRefName/:status${end}`,
    `/task/:workflowId/:taskRefName/:status${end}`,
  ];
  addRoute(app, {
    method: 'POST',
    paths: paths(''),
    tag: 'tasks',
    summary: 'Update the pending task of a reference; the body is added to its output',
    query: { workerid: text },
    body: anyObject,
    answers: { 200: rawText('The id of the task; empty if none is pending') },
    handle: async (request, reply) => {
      const reported = await reportByReference(workflows, request);
      return reported === undefined ? done(reply) : plain(reply, reported.step.id);
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: paths('/sync'),
    tag: 'tasks',
    summary: 'The same, and show the workflow as it is then',
    query: { workerid: text },
    body: anyObject,
    answers: { 200: answer('The workflow'), 404: answer('No task of this reference is pending') },
    handle: async (request, reply) => {
      const reported = await reportByReference(workflows, request);
      if (reported === undefined) throw nonePending(request);
      return json(reply, workflowText(await workflows.show(reported.run.id)));
    },
  });
}

/** @returns undefined if no task of the reference is pending, also if there is no such workflow */
async function reportByReference(
  workflows: Workflows,
  request: FastifyRequest,
): Promise<StepOfRun | undefined> {
  const workerId = queryText(request, 'workerid');
  const report = {
    status: reportStatus(param(request, 'status')),
    output: objectBody(request),
    merge: true,
    ...(workerId === undefined ? {} : { workerId }),
  };
  try {
    return await workflows.reportByRef(runIdOf(request), param(request, 'taskRefName'), report);
  } catch (error) {
    if (isLineshaftError(error, 'RUN_NOT_FOUND')) return undefined;
    throw error;
  }
}

function nonePending(request: FastifyRequest): LineshaftError {
  const [ref, id] = [param(request, 'taskRefName'), param(request, 'workflowId')];
  return new LineshaftError('STEP_NOT_FOUND', {
    message: `Found no running task ${ref} of workflow ${id} to update`,
  });
}
