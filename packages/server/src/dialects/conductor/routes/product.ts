/** What clients ask of the server itself: health, version, environment, secrets. */

import type { FastifyInstance } from 'fastify';
import { json, plain } from '../answers.ts';
import { answer, rawText, texts } from '../parameters.ts';
import { addRoute } from '../route.ts';
import type { Product } from './admin.ts';

const health = '{"healthResults":[],"suppressedHealthResults":[],"healthy":true}';

export function addProductRoutes(app: FastifyInstance, product: Product): void {
  const schema = {
    tags: ['health'],
    summary: 'Whether this process serves',
    response: { 200: answer('It does') },
  };
  for (const url of ['/health', '/api/health']) {
    app.get(url, { config: { frequent: true, action: 'watch' }, schema }, async (_request, reply) =>
      json(reply, health),
    );
  }
  addRoute(app, {
    method: 'GET',
    paths: ['/version'],
    tag: 'version',
    summary: 'The version that serves here',
    answers: { 200: rawText('The version') },
    handle: async (_request, reply) => plain(reply, product.version),
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/environment'],
    tag: 'environment',
    summary: 'Variables that workflows may see; none are kept here',
    answers: { 200: answer('Names', texts) },
    handle: async (_request, reply) => json(reply, '[]'),
  });
  addRoute(app, {
    method: 'GET',
    paths: ['/secrets'],
    tag: 'secrets',
    summary: 'Names of secrets; none are kept here',
    answers: { 200: answer('Names', texts) },
    handle: async (_request, reply) => json(reply, '[]'),
  });
}
