/** Where clients read and write payloads that they keep apart from their requests. */

import type { Workflows } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import { json } from '../answers.ts';
import { invalid, requiredText } from '../given.ts';
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
          ...kindOf(requiredText(request, 'operation'), requiredText(request, 'payloadType')),
        });
        return json(reply, JSON.stringify(location));
      },
    });
  }
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
