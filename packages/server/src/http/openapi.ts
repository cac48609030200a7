/** The OpenAPI document of all routes, made from their schemas. Pure. */

import type { KnownRoute } from './route-table.ts';

type Schema = Readonly<Record<string, unknown>>;

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: Schema;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly components: Schema;
  readonly security: readonly Schema[];
}

/** @param version of the product */
export function openApiDocument(routes: readonly KnownRoute[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, Schema>> = {};
  const sorted = [...routes].sort((a, b) => compare(a.url, b.url) || compare(a.method, b.method));
  for (const route of sorted) {
    if (route.schema['hide'] === true) continue;
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lineshaft',
      version,
      description: 'The HTTP interface of Lineshaft; what is below `/api` speaks the dialect of Conductor.',
    },
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Authorization',
          description: 'From `POST /api/token`',
        },
        bearer: { type: 'http', scheme: 'bearer', description: 'A token, or the secret of a key' },
        basic: { type: 'http', scheme: 'basic', description: 'The id of a key and its secret' },
      },
      schemas: { Error: errorSchema, ErrorResponse: errorResponseSchema },
    },
    // Where no key exists, none is demanded on this machine.
    security: [{ token: [] }, { bearer: [] }, { basic: [] }, {}],
  };
}

function operationOf({ method, url, schema, config }: KnownRoute): Schema {
  const { summary, description, tags, deprecated, body } = schema;
  const parameters = [
    ...parametersOf('path', pathParameters(url, schema['params'] as Schema | undefined)),
    ...parametersOf('query', schema['querystring'] as Schema | undefined),
  ];
  const bodyType = config['body'] === 'text' ? 'text/plain' : 'application/json';
  return {
    operationId: operationId(method, url),
    ...(tags === undefined ? {} : { tags }),
    ...(summary === undefined ? {} : { summary }),
    ...(description === undefined ? {} : { description }),
    ...(deprecated === true ? { deprecated } : {}),
    ...(config['open'] === true ? { security: [{}] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { content: { [bodyType]: { schema: body } } } }),
    responses: responsesOf(url, (schema['response'] ?? {}) as Readonly<Record<string, Schema>>),
  };
}

/** `GET /api/tasks/poll/{tasktype}` as `getTasksPollByTasktype`: unique, because paths are. */
function operationId(method: string, url: string): string {
  const words = url
    .replace(/^\/api(?=\/)/, '')
    .split('/')
    .filter((word) => word !== '')
    .map((word) => (word.startsWith(':') ? `By${upper(word.slice(1))}` : upper(word.replaceAll(/\W/g, '_'))));
  const prefix = url.startsWith('/api/') ? '' : 'Server';
  const slash = url.length > 1 && url.endsWith('/') ? 'Slash' : '';
  return `${method.toLowerCase()}${prefix}${words.join('')}${slash}`;
}

function upper(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

function pathParameters(url: string, given: Schema | undefined): Schema | undefined {
  const names = [...url.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  if (names.length === 0) return undefined;
  const known = (given?.['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  const properties = Object.fromEntries(names.map((name) => [name, known[name] ?? { type: 'string' }]));
  return { properties, required: names };
}

function parametersOf(place: 'path' | 'query', schema: Schema | undefined): Schema[] {
  const properties = (schema?.['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  const required = (schema?.['required'] ?? []) as readonly string[];
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function responsesOf(url: string, given: Readonly<Record<string, Schema>>): Schema {
  const error = url.startsWith('/api/') ? 'ErrorResponse' : 'Error';
  const content = { 'application/json': { schema: { $ref: `#/components/schemas/${error}` } } };
  const said = Object.entries(given).map(([status, { description, ...schema }]) => {
    const text = String(description ?? 'Done');
    if (Number(status) >= 400 && schema['type'] === undefined)
      return [status, { description: text, content }];
    if (schema['type'] === 'null' || schema['type'] === undefined) return [status, { description: text }];
    const type = schema['type'] === 'string' ? 'text/plain' : 'application/json';
    return [status, { description: text, content: { [type]: { schema } } }];
  });
  return { ...Object.fromEntries(said), default: { description: 'What went wrong', content } };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const errorSchema: Schema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'details'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        details: { type: 'object', additionalProperties: true },
      },
    },
  },
};

const errorResponseSchema: Schema = {
  type: 'object',
  required: ['status', 'message', 'instance', 'retryable'],
  properties: {
    status: { type: 'integer' },
    code: { type: 'string' },
    message: { type: 'string' },
    instance: { type: 'string' },
    retryable: { type: 'boolean' },
    validationErrors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' }, invalidValue: {} },
      },
    },
  },
};
