/** Definitions of workflows and of tasks, in both spellings. */

import {
  LineshaftError,
  type TaskDefinition,
  type WorkflowDefinition,
  type Workflows,
} from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { done, json, list } from '../answers.ts';
import { saidOf } from '../error-response.ts';
import {
  isFields,
  listBody,
  objectBody,
  param,
  queryFlag,
  queryWhole,
  validatedAs,
  violated,
} from '../given.ts';
import { answer, anyObject, flag, listOf, noBody, taskDef, whole, workflowDef } from '../parameters.ts';
import { addRoute, type Edition } from '../route.ts';
import { taskDefText, withCustomSteps, workflowDefText } from '../wire/definition.ts';
import { bulkText } from './bulk.ts';

const versionMax = 2 ** 31 - 1;

export function addMetadataRoutes(app: FastifyInstance, workflows: Workflows): void {
  addWorkflowDefs(app, workflows, '/metadata/workflow', 'oss');
  addWorkflowDefs(app, workflows, '/metadata/workflowdef', 'swift');
  addWorkflowLists(app, workflows);
  addTaskDefs(app, workflows);
}

function addWorkflowDefs(app: FastifyInstance, workflows: Workflows, root: string, edition: Edition): void {
  const given = (document: unknown): WorkflowDefinition => {
    const definition = demandDocument(document) as unknown as WorkflowDefinition;
    return edition === 'swift' ? withCustomSteps(definition) : definition;
  };
  addRoute(app, {
    method: 'POST',
    paths: [root],
    tag: 'metadata',
    summary: 'Register a workflow definition',
    ...(edition === 'oss' ? { query: { overwrite: flag(false) } } : {}),
    body: workflowDef,
    answers: {
      200: noBody('Registered'),
      400: answer('It is not one that can be run'),
      409: answer('It is there'),
    },
    handle: async (request, reply) => {
      const overwrite = edition === 'oss' && queryFlag(request, 'overwrite', false);
      const definition = given(objectBody(request));
      await validatedAs('registerWorkflowDef.arg0', () => workflows.putWorkflow(definition, { overwrite }));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'PUT',
    paths: [root],
    tag: 'metadata',
    summary: 'Register workflow definitions, or replace them',
    body: listOf(workflowDef),
    answers: { 200: answer('Which were taken, and which were not and why') },
    handle: async (request, reply) => {
      const documents = demandSome(listBody(request), 'updateWorkflowDef.arg0', 'WorkflowDefList is empty');
      return json(reply, await putAll(workflows, documents.map(given)));
    },
  });
  addRoute(app, {
    method: 'POST',
    paths: [`${root}/validate`],
    tag: 'metadata',
    summary: 'Check a workflow definition, without registering it',
    body: workflowDef,
    answers: { 200: noBody('It can be run'), 400: answer('It cannot, and why') },
    handle: async (request, reply) => {
      const definition = given(objectBody(request));
      await validatedAs('validateWorkflowDef.arg0', () => workflows.checkWorkflow(definition));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: [`${root}/:name`],
    tag: 'metadata',
    summary: 'A workflow definition; by default its latest version',
    query: { version: whole(0, versionMax) },
    answers: { 200: answer('The definition'), 404: answer('There is no such definition') },
    handle: async (request, reply) => {
      const version = queryWhole(request, 'version', { least: 0, most: versionMax, otherwise: 0 });
      const definition = await workflows.getWorkflow(
        param(request, 'name'),
        version === 0 ? undefined : version,
      );
      return json(reply, workflowDefText(definition));
    },
  });
  addRoute(app, {
    method: 'DELETE',
    paths: [`${root}/:name/:version`],
    tag: 'metadata',
    config: { words: 'delete' },
    summary: 'Remove a version of a workflow definition; its runs keep theirs',
    answers: { 200: noBody('Removed'), 404: answer('There is no such definition') },
    handle: async (request, reply) => {
      await workflows.deleteWorkflow(param(request, 'name'), versionOf(request));
      return done(reply);
    },
  });
}

/** A failure of one leaves the others; each is named by its name. */
async function putAll(workflows: Workflows, definitions: readonly WorkflowDefinition[]): Promise<string> {
  const errors: Record<string, string> = {};
  const taken: string[] = [];
  for (const definition of definitions) {
    try {
      await workflows.putWorkflow(definition, { overwrite: true });
      taken.push(definition.name);
    } catch (error) {
      errors[String(definition.name)] = saidOf(error);
    }
  }
  return bulkText(errors, JSON.stringify(taken));
}

function addWorkflowLists(app: FastifyInstance, workflows: Workflows): void {
  const roots = ['/metadata/workflow', '/metadata/workflowdef'];
  const add = (end: string, summary: string, show: (request: FastifyRequest) => Promise<string>): void =>
    addRoute(app, {
      method: 'GET',
      paths: roots.map((root) => root + end),
      tag: 'metadata',
      summary,
      answers: { 200: answer(summary, end.includes('names') ? anyObject : listOf(anyObject)) },
      handle: async (request, reply) => json(reply, await show(request)),
    });
  add('', 'All workflow definitions', async () => definitionsText(await workflows.listWorkflows()));
  add('/latest-versions', 'The latest version of each workflow definition', async () =>
    definitionsText(await workflows.listWorkflows({ latestOnly: true })),
  );
  add('/names-and-versions', 'Names of workflow definitions, with their versions', async () => {
    const byName = Map.groupBy(await workflows.listWorkflows(), ({ name }) => name);
    const entries = [...byName].map(([name, versions]) => [name, versions.map(versionDocument)]);
    return JSON.stringify(Object.fromEntries(entries));
  });
  add('/names', 'Names of workflow definitions', async () => {
    const latest = await workflows.listWorkflows({ latestOnly: true });
    return JSON.stringify(latest.map(({ name }) => name));
  });
  add('/:name/versions', 'Versions of a workflow definition', async (request) => {
    const name = param(request, 'name');
    const versions = await workflows.listWorkflows({ name });
    return JSON.stringify(versions.map(versionDocument));
  });
}

function definitionsText(definitions: readonly WorkflowDefinition[]): string {
  return list(definitions.map(workflowDefText));
}

function versionDocument({ name, version, createTime, updateTime }: WorkflowDefinition): unknown {
  return { name, version: version ?? 1, createTime: createTime ?? 0, updateTime: updateTime ?? 0 };
}

function addTaskDefs(app: FastifyInstance, workflows: Workflows): void {
  const roots = ['/metadata/taskdefs', '/metadata/taskdef'];
  addRoute(app, {
    method: 'POST',
    paths: roots,
    tag: 'metadata',
    summary: 'Register task definitions; those that are there are overwritten',
    body: listOf(taskDef),
    answers: { 200: noBody('Registered'), 400: answer('One of them is not right') },
    handle: async (request, reply) => {
      const documents = demandSome(listBody(request), 'registerTaskDef.arg0', 'TaskDefList is empty');
      for (const [place, document] of documents.entries()) {
        const definition = taskOf(document);
        await validatedAs(`registerTaskDef.arg0[${place}]`, () => workflows.putTask(definition));
      }
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'PUT',
    paths: roots,
    tag: 'metadata',
    config: { words: 'update' },
    summary: 'Replace a task definition',
    body: taskDef,
    answers: { 200: noBody('Replaced'), 404: answer('There is no such definition') },
    handle: async (request, reply) => {
      const definition = taskOf(objectBody(request));
      await demandTask(workflows, definition.name);
      await validatedAs('updateTaskDef.arg0', () => workflows.putTask(definition));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: roots,
    tag: 'metadata',
    summary: 'All task definitions',
    answers: { 200: answer('Task definitions', listOf(taskDef)) },
    handle: async (_request, reply) => json(reply, list((await workflows.listTasks()).map(taskDefText))),
  });
  addRoute(app, {
    method: 'GET',
    paths: roots.map((root) => `${root}/:tasktype`),
    tag: 'metadata',
    summary: 'A task definition',
    answers: { 200: answer('The definition', taskDef), 404: answer('There is no such definition') },
    handle: async (request, reply) =>
      json(reply, taskDefText(await workflows.getTask(param(request, 'tasktype')))),
  });
  addRoute(app, {
    method: 'DELETE',
    paths: roots.map((root) => `${root}/:tasktype`),
    tag: 'metadata',
    config: { words: 'delete' },
    summary: 'Remove a task definition',
    answers: { 200: noBody('Removed'), 404: answer('There is no such definition') },
    handle: async (request, reply) => {
      await workflows.deleteTask(param(request, 'tasktype'));
      return done(reply);
    },
  });
}

/** @throws LineshaftError REQUEST_INVALID */
function demandSome(documents: unknown[], path: string, message: string): unknown[] {
  if (documents.length > 0) return documents;
  throw violated([{ path, message }]);
}

/** @throws LineshaftError TASK_NOT_FOUND */
async function demandTask(workflows: Workflows, name: unknown): Promise<void> {
  if (typeof name === 'string' && name !== '') await workflows.getTask(name);
}

function taskOf(document: unknown): TaskDefinition {
  return demandDocument(document) as unknown as TaskDefinition;
}

/** What is in it is checked where it is put. @throws LineshaftError REQUEST_INVALID */
function demandDocument(document: unknown): Readonly<Record<string, unknown>> {
  if (isFields(document)) return document;
  throw new LineshaftError('REQUEST_INVALID', {
    message: 'a definition must be a JSON object',
    details: { field: 'body' },
  });
}

/** @throws LineshaftError REQUEST_INVALID */
function versionOf(request: FastifyRequest): number {
  const version = Number(param(request, 'version'));
  if (Number.isInteger(version) && version >= 0 && version <= versionMax) return version;
  throw new LineshaftError('REQUEST_INVALID', {
    message: `version must be a whole number from 0 to ${versionMax}`,
    details: { field: 'version' },
  });
}
