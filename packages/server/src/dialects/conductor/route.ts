/** How a route of the dialect is declared: once, with all its spellings, and with what OpenAPI says of it. */

import type {
  FastifyContextConfig,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HTTPMethods,
} from 'fastify';

/** Conductor's editions: where they answer differently, the spelling that was called decides. */
export type Edition = 'swift' | 'oss';

type Schema = Readonly<Record<string, unknown>>;

export interface Route {
  readonly method: HTTPMethods | readonly HTTPMethods[];
  /** Below `/api`, with parameters as `:name`. */
  readonly paths: readonly string[];
  readonly tag: string;
  readonly summary: string;
  /** Parameters of the query with their schemas; see `parameters.ts`. */
  readonly query?: Readonly<Record<string, Schema>>;
  /** Those of them that must be there. */
  readonly required?: readonly string[];
  readonly body?: Schema;
  /** What it answers, by status. Default: 200 without a body. */
  readonly answers?: Readonly<Record<number, Schema>>;
  readonly config?: FastifyContextConfig;
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

export function addRoute(app: FastifyInstance, route: Route): void {
  for (const path of route.paths) {
    app.route({
      method: route.method as HTTPMethods,
      url: `/api${path}`,
      config: route.config ?? {},
      // A HEAD must not take a task, nor pause a schedule.
      exposeHeadRoute: route.config?.action === undefined,
      schema: schemaOf(route, path),
      handler: route.handle,
    });
  }
}

/** Documentation only: the dialect reads what it needs, and payloads are not walked. */
function schemaOf(route: Route, path: string): Schema {
  const { tag, summary, query, required, body, answers } = route;
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  return {
    tags: [tag],
    summary,
    ...(names.length === 0 ? {} : { params: objectOf(namesAsTexts(names), names) }),
    ...(query === undefined ? {} : { querystring: objectOf(query, required ?? []) }),
    ...(body === undefined ? {} : { body }),
    response: answers ?? { 200: { description: 'Done', type: 'null' } },
  };
}

function namesAsTexts(names: readonly string[]): Readonly<Record<string, Schema>> {
  return Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
}

function objectOf(properties: Readonly<Record<string, Schema>>, required: readonly string[]): Schema {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}
