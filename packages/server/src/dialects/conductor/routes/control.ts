/** Changing runs: pause, resume, terminate, restart, retry, rerun, skip, remove, decide. */

import type { Workflows } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import { done, nothing, plain } from '../answers.ts';
import { demandStepId, field, objectBody, param, queryFlag, queryText, runIdOf } from '../given.ts';
import { answer, anyObject, flag, noBody, rawText, text } from '../parameters.ts';
import { addRoute } from '../route.ts';

export function addControlRoutes(app: FastifyInstance, workflows: Workflows): void {
  addPausing(app, workflows);
  addRepeating(app, workflows);
  addEnding(app, workflows);
}

function addPausing(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'PUT',
    paths: ['/workflow/decide/:workflowId'],
    tag: 'workflow',
    summary: 'Decide what comes next in a workflow; done by itself after each change',
    handle: async (request, reply) => {
      await workflows.decide(runIdOf(request));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'PUT',
    paths: ['/workflow/:workflowId/pause'],
    tag: 'workflow',
    summary: 'Pause a workflow: tasks that are polled go on, nothing new is scheduled',
    answers: { 200: noBody('Paused'), 409: answer('The workflow has ended') },
    handle: async (request, reply) => {
      await workflows.pause(runIdOf(request));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'PUT',
    paths: ['/workflow/:workflowId/resume'],
    tag: 'workflow',
    summary: 'Resume a paused workflow',
    answers: { 200: noBody('Resumed'), 500: answer('The workflow is not paused') },
    config: { wrongState: 500 },
    handle: async (request, reply) => {
      await workflows.resume(runIdOf(request));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'PUT',
    paths: [
      '/workflow/:workflowId/skiptask/:taskReferenceName',
      '/workflow/:workflowId/skip-task/:taskReferenceName',
    ],
    tag: 'workflow',
    summary: 'Skip a task that is not scheduled yet',
    body: { type: 'object', properties: { taskInput: anyObject, taskOutput: anyObject } },
    answers: { 200: noBody('Skipped'), 500: answer('It is scheduled already, or not in the definition') },
    config: { wrongState: 500 },
    handle: async (request, reply) => {
      const body = objectBody(request);
      const input = field(body, 'taskInput').object();
      const output = field(body, 'taskOutput').object();
      await workflows.skip(runIdOf(request), param(request, 'taskReferenceName'), {
        ...(input === undefined ? {} : { input }),
        ...(output === undefined ? {} : { output }),
      });
      return done(reply);
    },
  });
}

function addRepeating(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/:workflowId/rerun'],
    tag: 'workflow',
    summary: 'Run a workflow that has ended again, from the start or from a task',
    body: {
      type: 'object',
      properties: {
        reRunFromTaskId: text,
        taskInput: anyObject,
        workflowInput: anyObject,
        correlationId: text,
      },
    },
    answers: { 200: rawText('The id of the workflow'), 409: answer('The workflow has not ended') },
    config: { unknownStep: 400, words: 'rerun' },
    handle: async (request, reply) => {
      const body = objectBody(request);
      const fromStepId = field(body, 'reRunFromTaskId').text();
      const stepInput = field(body, 'taskInput').object();
      const runInput = field(body, 'workflowInput').object();
      const correlationId = field(body, 'correlationId').text();
      const id = await workflows.rerun(runIdOf(request), {
        ...(fromStepId === undefined || fromStepId === '' ? {} : { fromStepId: demandStepId(fromStepId) }),
        ...(stepInput === undefined ? {} : { stepInput }),
        ...(runInput === undefined ? {} : { runInput }),
        ...(correlationId === undefined ? {} : { correlationId }),
      });
      return plain(reply, id);
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/:workflowId/restart'],
    tag: 'workflow',
    summary: 'Begin a workflow that has ended anew',
    query: { useLatestDefinitions: flag(false) },
    answers: {
      204: noBody('Restarted'),
      404: answer('It may not be restarted'),
      409: answer('It has not ended'),
    },
    config: { wrongState: 'restart' },
    handle: async (request, reply) => {
      const useLatestDefinitions = queryFlag(request, 'useLatestDefinitions', false);
      await workflows.restart(runIdOf(request), { useLatestDefinitions });
      return nothing(reply);
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/:workflowId/retry'],
    tag: 'workflow',
    summary: 'Try the tasks again that have failed',
    query: { resumeSubworkflowTasks: flag(false) },
    answers: { 204: noBody('Retried'), 404: answer('It still runs'), 409: answer('No task can be retried') },
    config: { wrongState: 'retry' },
    handle: async (request, reply) => {
      const resumeSubworkflowTasks = queryFlag(request, 'resumeSubworkflowTasks', false);
      await workflows.retry(runIdOf(request), { resumeSubworkflowTasks });
      return nothing(reply);
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: ['/workflow/:workflowId/resetcallbacks', '/workflow/:workflowId/reset-callbacks'],
    tag: 'workflow',
    summary: 'Make tasks pollable at once that were to come back later',
    answers: { 204: noBody('Done'), 409: answer('The workflow has ended') },
    handle: async (request, reply) => {
      await workflows.resetCallbacks(runIdOf(request));
      return nothing(reply);
    },
  });
}

function addEnding(app: FastifyInstance, workflows: Workflows): void {
  addRoute(app, {
    method: 'DELETE',
    paths: ['/workflow/:workflowId'],
    tag: 'workflow',
    summary: 'Terminate a workflow',
    query: { reason: text, triggerFailureWorkflow: flag(false) },
    answers: { 200: noBody('Terminated'), 409: answer('It has ended') },
    handle: async (request, reply) => {
      const reason = queryText(request, 'reason');
      const triggerFailureWorkflow = queryFlag(request, 'triggerFailureWorkflow', false);
      await workflows.terminate(runIdOf(request), {
        ...(reason === undefined ? {} : { reason }),
        triggerFailureWorkflow,
      });
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'DELETE',
    paths: ['/workflow/:workflowId/remove'],
    tag: 'workflow',
    summary: 'Remove a workflow with all its tasks',
    query: { archiveWorkflow: flag(true) },
    answers: { 200: noBody('Removed'), 404: answer('There is no such workflow') },
    handle: async (request, reply) => {
      await workflows.remove(runIdOf(request));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'DELETE',
    paths: ['/workflow/:workflowId/terminate-remove'],
    tag: 'workflow',
    summary: 'Terminate a workflow that has not ended, and remove it',
    query: { reason: text, archiveWorkflow: flag(true) },
    answers: { 200: noBody('Removed'), 404: answer('There is no such workflow') },
    handle: async (request, reply) => {
      await terminateAndRemove(workflows, runIdOf(request), queryText(request, 'reason'));
      return done(reply);
    },
  });
}

/** What has ended already is only removed. */
export async function terminateAndRemove(
  workflows: Workflows,
  runId: string,
  reason: string | undefined,
): Promise<void> {
  const { run } = await workflows.show(runId, { steps: false });
  if (run.status === 'RUNNING' || run.status === 'PAUSED') {
    await workflows.terminate(runId, reason === undefined ? {} : { reason });
  }
  await workflows.remove(runId);
}
