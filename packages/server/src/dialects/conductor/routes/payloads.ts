/** Where clients read and write payloads that they keep apart from their requests. */

import type { Workflows } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import { json } from '../answers.ts';
import { requiredText, wordOf } from '../given.ts';
import { answer, oneOf, text } from '../parameters.ts';
import { addRoute } from '../route.ts';

const operations = ['READ', 'WRITE'] as const;
const payloadTypes = ['TASK_INPUT', 'TASK_OUTPUT', 'WORKFLOW_INPUT', 'WORKFLOW_OUTPUT'] as const;

export function addPayloadRoutes(app: FastifyInstance, { payloads }: Workflows): void {
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
          operation: wordOf('operation', requiredText(request, 'operation').toUpperCase(), operations),
          payloadType: wordOf(
            'payloadType',
            requiredText(request, 'payloadType').toUpperCase(),
            payloadTypes,
          ),
        });
        return json(reply, JSON.stringify(location));
      },
    });
  }
}
