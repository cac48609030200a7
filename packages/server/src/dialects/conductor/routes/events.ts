/** Event handlers: what a message of an event does. */

import type { EventHandler, Workflows } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import { done, json, list } from '../answers.ts';
import { objectBody, param, queryFlag, validatedAs } from '../given.ts';
import { answer, anyObject, flag, listOf, noBody } from '../parameters.ts';
import { addRoute } from '../route.ts';

const handlerSchema = {
  type: 'object',
  required: ['name', 'event', 'actions'],
  properties: {
    name: { type: 'string' },
    event: { type: 'string' },
    condition: { type: 'string' },
    actions: listOf(anyObject),
    active: flag(false),
  },
};

export function addEventRoutes(app: FastifyInstance, { events }: Workflows): void {
  addRoute(app, {
    method: 'POST',
    paths: ['/event'],
    tag: 'event',
    summary: 'Add an event handler',
    body: handlerSchema,
    answers: { 200: noBody('Added'), 409: answer('There is one of this name') },
    handle: async (request, reply) => {
      const handler = objectBody(request) as unknown as EventHandler;
      await validatedAs('addEventHandler.arg0', () => events.put(handler, 'create'));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'PUT',
    paths: ['/event'],
    tag: 'event',
    summary: 'Replace an event handler',
    body: handlerSchema,
    answers: { 200: noBody('Replaced'), 404: answer('There is none of this name') },
    handle: async (request, reply) => {
      const handler = objectBody(request) as unknown as EventHandler;
      await validatedAs('updateEventHandler.arg0', () => events.put(handler, 'replace'));
      return done(reply);
    },
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/event'],
    tag: 'event',
    summary: 'All event handlers',
    answers: { 200: answer('Event handlers', listOf(handlerSchema)) },
    handle: async (_request, reply) => json(reply, list((await events.list()).map(handlerText))),
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/event/:event'],
    tag: 'event',
    summary: 'The handlers of an event',
    query: { activeOnly: flag(true) },
    answers: { 200: answer('Event handlers', listOf(handlerSchema)) },
    handle: async (request, reply) => {
      const activeOnly = queryFlag(request, 'activeOnly', true);
      return json(
        reply,
        list((await events.list({ event: param(request, 'event'), activeOnly })).map(handlerText)),
      );
    },
  });
  addRoute(app, {
    method: 'DELETE',
    paths: ['/event/:name'],
    tag: 'event',
    summary: 'Remove an event handler',
    answers: { 200: noBody('Removed'), 404: answer('There is none of this name') },
    handle: async (request, reply) => {
      await events.delete(param(request, 'name'));
      return done(reply);
    },
  });
}

/** As it was sent; whether it is active, and whether texts are read as JSON, is always said. */
function handlerText(handler: EventHandler): string {
  const shown = Object.entries(handler).filter(([, value]) => value !== null);
  const actions = handler.actions.map((action) => ({ expandInlineJSON: false, ...action }));
  return JSON.stringify({ active: false, ...Object.fromEntries(shown), actions });
}
