/** Schedules of workflows. Pausing and resuming is PUT in one edition and GET in the other: both are taken. */

import { isLineshaftError, type WorkflowSchedule, type Workflows } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import { done, json } from '../answers.ts';
import { saidOf } from '../error-response.ts';
import {
  objectBody,
  param,
  queryFlag,
  queryText,
  queryTime,
  queryWhole,
  requiredText,
  textsBody,
  violated,
} from '../given.ts';
import { answer, anyObject, listOf, noBody, searchQuery, text, texts, time, whole } from '../parameters.ts';
import { addRoute } from '../route.ts';
import { bulkText } from './bulk.ts';
import { searchOf } from './queues.ts';

const schedulesMax = 1_000;
/** Also where the method says otherwise. */
const changes = { action: 'write' } as const;

export function addSchedulerRoutes(app: FastifyInstance, workflows: Workflows): void {
  addKeeping(app, workflows);
  addPausing(app, workflows);
  addLooking(app, workflows);
  addAdministration(app, workflows);
}

function addKeeping(app: FastifyInstance, { schedules }: Workflows): void {
  addRoute(app, {
    method: 'POST',
    paths: ['/scheduler/schedules'],
    tag: 'scheduler',
    summary: 'Make a schedule, or replace it',
    body: { type: 'object', required: ['name', 'startWorkflowRequest'], additionalProperties: true },
    answers: { 200: answer('The schedule as it is now'), 400: answer('It is not one that can run') },
    handle: async (request, reply) =>
      json(reply, scheduleText(await schedules.put(objectBody(request) as unknown as WorkflowSchedule))),
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/scheduler/schedules/:name'],
    tag: 'scheduler',
    summary: 'A schedule',
    answers: { 200: answer('The schedule'), 404: answer('There is no such schedule') },
    handle: async (request, reply) => json(reply, scheduleText(await schedules.get(param(request, 'name')))),
  });
  addRoute(app, {
    method: 'DELETE',
    paths: ['/scheduler/schedules/:name'],
    tag: 'scheduler',
    summary: 'Remove a schedule; nothing happens if there is none',
    answers: { 200: noBody('It is not there') },
    handle: async (request, reply) => {
      await unlessGone(() => schedules.delete(param(request, 'name')));
      return done(reply);
    },
  });
}

function addPausing(app: FastifyInstance, { schedules }: Workflows): void {
  for (const method of ['PUT', 'GET'] as const) {
    addRoute(app, {
      method,
      paths: ['/scheduler/schedules/:name/pause'],
      config: changes,
      tag: 'scheduler',
      summary: 'Pause a schedule',
      query: { reason: text },
      handle: async (request, reply) => {
        await schedules.pause(param(request, 'name'), queryText(request, 'reason'));
        return done(reply);
      },
    });
    addRoute(app, {
      method,
      paths: ['/scheduler/schedules/:name/resume'],
      config: changes,
      tag: 'scheduler',
      summary: 'Resume a schedule',
      handle: async (request, reply) => {
        await schedules.resume(param(request, 'name'));
        return done(reply);
      },
    });
  }
  const bulk = (name: string, change: (schedule: string) => Promise<void>): void =>
    addRoute(app, {
      method: 'PUT',
      paths: [`/scheduler/bulk/${name}`],
      tag: 'scheduler',
      summary: `${name} of up to 1,000 schedules`,
      body: texts,
      answers: { 200: answer('Which were changed, and which were not and why') },
      handle: async (request, reply) => json(reply, await changeAll(textsBody(request), change)),
    });
  bulk('pause', (schedule) => schedules.pause(schedule));
  bulk('resume', (schedule) => schedules.resume(schedule));
}

async function changeAll(names: readonly string[], change: (name: string) => Promise<void>): Promise<string> {
  if (names.length > schedulesMax) {
    throw violated([{ path: 'names', message: `Cannot process more than ${schedulesMax} schedules.` }]);
  }
  const errors: Record<string, string> = {};
  const changed: string[] = [];
  for (const name of new Set(names)) {
    try {
      await change(name);
      changed.push(name);
    } catch (error) {
      errors[name] = saidOf(error);
    }
  }
  return bulkText(errors, JSON.stringify(changed));
}

function addLooking(app: FastifyInstance, { schedules }: Workflows): void {
  addRoute(app, {
    method: 'GET',
    paths: ['/scheduler/schedules'],
    tag: 'scheduler',
    summary: 'Schedules, all or those of a workflow',
    query: { workflowName: text },
    answers: { 200: answer('Schedules', listOf(anyObject)) },
    handle: async (request, reply) => {
      const workflow = queryText(request, 'workflowName') || undefined;
      const found = await schedules.list(workflow === undefined ? {} : { workflow });
      return json(reply, `[${found.map(scheduleText).join(',')}]`);
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/scheduler/schedules/search'],
    tag: 'scheduler',
    summary: 'Search schedules',
    query: { ...searchQuery, workflowName: text, scheduleName: text, paused: { type: 'boolean' } },
    answers: { 200: answer('Schedules that were found') },
    handle: async (request, reply) => {
      const { start = 0, size = 100 } = searchOf(request, 5_000);
      const workflow = queryText(request, 'workflowName') || undefined;
      const name = queryText(request, 'scheduleName') || undefined;
      const paused = queryText(request, 'paused') ? queryFlag(request, 'paused', false) : undefined;
      const all = await schedules.list(workflow === undefined ? {} : { workflow });
      const fit = all.filter(
        (schedule) =>
          (name === undefined || schedule.name.includes(name)) &&
          (paused === undefined || (schedule.paused ?? false) === paused),
      );
      const page = fit.slice(start, start + size).map(scheduleText);
      return json(reply, `{"totalHits":${fit.length},"results":[${page.join(',')}]}`);
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/scheduler/nextFewSchedules'],
    tag: 'scheduler',
    summary: 'When a rule would run next',
    query: {
      cronExpression: text,
      zoneId: text,
      scheduleStartTime: time,
      scheduleEndTime: time,
      limit: whole(1, 1_000, 5),
    },
    required: ['cronExpression'],
    answers: { 200: answer('Times in ms since 1970', listOf(time)) },
    handle: async (request, reply) => {
      const [from, to] = [queryTime(request, 'scheduleStartTime'), queryTime(request, 'scheduleEndTime')];
      const zoneId = queryText(request, 'zoneId');
      const times = await schedules.next({
        cronExpression: requiredText(request, 'cronExpression'),
        ...(zoneId === undefined ? {} : { zoneId }),
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        limit: queryWhole(request, 'limit', { least: 1, most: 1_000, otherwise: 5 }),
      });
      return json(reply, JSON.stringify(times));
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/scheduler/search/executions'],
    tag: 'scheduler',
    summary: 'Search what schedules have started',
    query: searchQuery,
    answers: { 200: answer('Executions that were found') },
    handle: async (request, reply) => {
      const { totalHits, results } = await schedules.executions(searchOf(request, 5_000));
      return json(reply, JSON.stringify({ totalHits, results }));
    },
  });
}

/** All schedules at once. */
function addAdministration(app: FastifyInstance, { schedules }: Workflows): void {
  const all = (name: string, change: (schedule: string) => Promise<void>): void =>
    addRoute(app, {
      method: 'GET',
      paths: [`/scheduler/admin/${name}`],
      config: changes,
      tag: 'scheduler',
      summary: `${name} of all schedules`,
      answers: { 200: answer('Done') },
      handle: async (_request, reply) => {
        for (const schedule of await schedules.list()) await unlessGone(() => change(schedule.name));
        return json(reply, '{"status":"done"}');
      },
    });
  all('pause', (name) => schedules.pause(name));
  all('resume', (name) => schedules.resume(name));
  addRoute(app, {
    method: 'GET',
    paths: ['/scheduler/admin/requeue'],
    config: changes,
    tag: 'scheduler',
    summary: 'Put next runs into their queue again; they are kept in the database, none is ever missing',
    answers: { 200: answer('Which were missing') },
    handle: async (_request, reply) => json(reply, '{"sampleIds":[],"recordIds.size":0}'),
  });
}

/** It may have been removed meanwhile. */
async function unlessGone(change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (!isLineshaftError(error, 'SCHEDULE_NOT_FOUND')) throw error;
  }
}

/** With defaults for what was left out, also of the request to start. */
function scheduleText(schedule: WorkflowSchedule): string {
  const shown = Object.fromEntries(Object.entries(schedule).filter(([, value]) => value !== null));
  const start = { input: {}, taskToDomain: {}, priority: 0, ...schedule.startWorkflowRequest };
  return JSON.stringify({ ...scheduleDefaults, ...shown, startWorkflowRequest: start });
}

const scheduleDefaults = {
  runCatchupScheduleInstances: false,
  paused: false,
  zoneId: 'UTC',
  createdBy: '',
  updatedBy: '',
  cronSchedules: [],
};
