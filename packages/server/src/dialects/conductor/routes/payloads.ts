/** Where clients read and write payloads that they keep apart from their requests. */

import type { Workflows } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { done, json } from '../answers.ts';
import { invalid, param, requiredText } from '../given.ts';
import { answer, anyObject, oneOf, text } from '../parameters.ts';
import { addRoute } from '../route.ts';

const operations = ['READ', 'WRITE'] as const;
const payloadTypes = ['TASK_INPUT', 'TASK_OUTPUT', 'WORKFLOW_INPUT', 'WORKFLOW_OUTPUT'] as const;

/** Below `/api`. */
const storage = '/external-storage';

export function addPayloadRoutes(app: FastifyInstance, { payloads }: Workflows): void {
  addStorage(app, payloads);
  for (const [tag, roots] of [
    ['tasks', ['/tasks', '/task']],
    ['workflow', ['/workflow']],
  ] as const) {
    addRoute(app, {
      method: 'GET',
      paths: roots.flatMap((root) => [
        `${root}/externalstoragelocation`,
        `${root}/external-storage-location`,
      ]),
      tag,
      summary: 'Where to read or write a payload that is kept apart',
      query: { path: text, operation: oneOf(operations), payloadType: oneOf(payloadTypes) },
      required: ['path', 'operation', 'payloadType'],
      answers: { 200: answer('A URI, and the path to name it by'), 400: answer('It is none of these') },
      handle: async (request, reply) => {
        const location = await payloads.location({
          path: requiredText(request, 'path'),
          ...kindOf(requiredText(request, 'operation'), requiredText(request, 'payloadType')),
          through: `${addressOf(request)}/api${storage}`,
        });
        return json(reply, JSON.stringify(location));
      },
    });
  }
}

/** Where payloads in a folder are read and written: who has the address needs no key, as with one of a bucket. */
function addStorage(app: FastifyInstance, payloads: Workflows['payloads']): void {
  const answers = { 404: answer('The address is none, or its time is over'), 413: answer('It is too large') };
  addRoute(app, {
    method: 'GET',
    paths: [`${storage}/:ticket`],
    tag: 'workflow',
    summary: 'A payload, at the address that was given for it',
    answers: { 200: answer('The payload'), ...answers },
    config: { open: true, action: 'work' },
    handle: async (request, reply) =>
      json(reply, Buffer.from(await payloads.readBy(param(request, 'ticket'))).toString('utf8')),
  });
  addRoute(app, {
    method: 'PUT',
    paths: [`${storage}/:ticket`],
    tag: 'workflow',
    summary: 'Write a payload, at the address that was given for it',
    body: anyObject,
    answers: { 200: { description: 'It is written', type: 'null' }, ...answers },
    config: { open: true, action: 'work', body: 'text' },
    handle: async (request, reply) => {
      await payloads.writeBy(param(request, 'ticket'), typeof request.body === 'string' ? request.body : '');
      return done(reply);
    },
  });
}

/** Of this server, as the client sees it. */
function addressOf({ headers, protocol, host }: FastifyRequest): string {
  const told = (name: string): string | undefined => {
    const [first] = String(headers[name] ?? '').split(',');
    return first?.trim() || undefined;
  };
  return `${told('x-forwarded-proto') ?? protocol}://${told('x-forwarded-host') ?? host}`;
}

/** @throws LineshaftError REQUEST_INVALID */
function kindOf(
  operation: string,
  payloadType: string,
): { readonly operation: (typeof operations)[number]; readonly payloadType: (typeof payloadTypes)[number] } {
  const known = operations.find((each) => each === operation.toUpperCase());
  const type = payloadTypes.find((each) => each === payloadType.toUpperCase());
  if (known !== undefined && type !== undefined) return { operation: known, payloadType: type };
  const message = `Invalid input - Operation: ${operation}, PayloadType: ${payloadType}`;
  throw invalid('operation', message, undefined);
}
