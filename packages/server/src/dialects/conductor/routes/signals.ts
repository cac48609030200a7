/** Synchronous calls: start a workflow or signal one, and hear how it stands when it has ended or waits for somebody. */

import { randomUUID } from 'node:crypto';
import { LineshaftError, type Workflows } from '@lineshaft/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { done, json } from '../answers.ts';
import {
  objectBody,
  param,
  queryText,
  queryTexts,
  queryWhole,
  reportStatus,
  runIdOf,
  wordOf,
} from '../given.ts';
import { answer, anyObject, oneOf, startWorkflowRequest, text, whole } from '../parameters.ts';
import { addRoute } from '../route.ts';
import { standingOf, type WaitOptions } from '../standing.ts';
import { startRequestOf } from '../start-request.ts';
import { returnStrategies, signalResponseText } from '../wire/signal-response.ts';

const longestWaitSeconds = 300;
const defaultWaitSeconds = 10;

const strategy = { returnStrategy: oneOf(returnStrategies, 'TARGET_WORKFLOW') };
const signalResponse = answer('How the workflow stands; empty if a task was asked for and none blocks');

export function addSignalRoutes(app: FastifyInstance, workflows: Workflows): void {
  addExecute(app, workflows);
  const paths = (end: string): string[] => [
    `/tasks/:workflowId/:status/signal${end}`,
    `/task/:workflowId/:status/signal${end}`,
  ];
  addRoute(app, {
    method: 'POST',
    paths: paths(''),
    tag: 'tasks',
    summary: 'End the first WAIT that is not over, also in sub-workflows; nothing happens if there is none',
    body: anyObject,
    handle: async (request, reply) => {
      await workflows.signal(runIdOf(request), reportStatus(param(request, 'status')), objectBody(request));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: paths('/sync'),
    tag: 'tasks',
    summary: 'The same, and wait until the workflow has ended or waits again',
    query: { ...strategy, timeoutMillis: whole(0, longestWaitSeconds * 1_000, 5_000) },
    body: anyObject,
    answers: { 200: signalResponse, 404: answer('No task waits') },
    handle: async (request, reply) => {
      const runId = runIdOf(request);
      const status = reportStatus(param(request, 'status'));
      const timeoutMs = queryWhole(request, 'timeoutMillis', {
        least: 0,
        most: longestWaitSeconds * 1_000,
        otherwise: 5_000,
      });
      demandStrategy(request);
      const signalled = await workflows.signal(runId, status, objectBody(request));
      if (signalled === undefined) {
        throw new LineshaftError('STEP_NOT_FOUND', {
          message: `Found no blocked task in workflow ${runId} to signal`,
        });
      }
      return await respond(workflows, request, reply, { runId, refs: [], timeoutMs });
    },
  });
}

function addExecute(app: FastifyInstance, workflows: Workflows): void {
  const query = {
    requestId: text,
    waitUntilTaskRef: { type: 'string', description: 'references that count as blocking, with commas' },
    waitForSeconds: whole(0, longestWaitSeconds, defaultWaitSeconds),
    consistency: { type: 'string', description: 'taken and passed over: every answer is current' },
    ...strategy,
  };
  const start = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    demandStrategy(request);
    const refs = queryTexts(request, 'waitUntilTaskRef').map((ref) => ref.trim());
    const seconds = queryWhole(request, 'waitForSeconds', {
      least: 0,
      most: longestWaitSeconds,
      otherwise: 0,
    });
    const version = versionOf(request);
    const given = request.method === 'GET' ? {} : objectBody(request);
    const body = { ...given, name: param(request, 'name'), version };
    const runId = await workflows.start(startRequestOf(body));
    return await respond(workflows, request, reply, {
      runId,
      refs,
      timeoutMs: (seconds || defaultWaitSeconds) * 1_000,
    });
  };
  const version = { type: 'integer', description: 'where the path has none; absent or 0: the latest' };
  const about = {
    tag: 'workflow',
    summary: 'Start a workflow, and wait until it has ended or waits for somebody',
    query: { ...query, version },
    answers: { 200: signalResponse, 404: answer('There is no such definition') },
    handle: start,
  };
  addRoute(app, {
    ...about,
    method: 'POST',
    paths: ['/workflow/execute/:name/:version', '/workflow/execute/:name'],
    body: startWorkflowRequest,
    config: { words: 'start' },
  });
  // As SDKs of Orkes ask it: without an input.
  addRoute(app, {
    ...about,
    method: 'GET',
    paths: ['/workflow/execute/:name'],
    config: { words: 'start', action: 'write' },
  });
}

/** 0 and none: the latest. */
function versionOf(request: FastifyRequest): string {
  return param(request, 'version') || (queryText(request, 'version') ?? '');
}

function demandStrategy(request: FastifyRequest): (typeof returnStrategies)[number] {
  return wordOf(
    'returnStrategy',
    queryText(request, 'returnStrategy') ?? 'TARGET_WORKFLOW',
    returnStrategies,
  );
}

async function respond(
  workflows: Workflows,
  request: FastifyRequest,
  reply: FastifyReply,
  { runId, ...waiting }: Omit<WaitOptions, 'signal'> & { readonly runId: string },
): Promise<unknown> {
  const standing = await standingOf(workflows, runId, { ...waiting, signal: reply.lifetime() });
  const requestId = queryText(request, 'requestId') ?? randomUUID();
  const text = signalResponseText(standing, demandStrategy(request), requestId);
  return text === undefined ? done(reply) : json(reply, text);
}
