/** A dialect: the routes under a prefix, and the shape of what they answer when something went wrong. */

import type { Workflows } from '@lineshaft/core';
import type { FastifyContextConfig, FastifyPluginAsync } from 'fastify';
import type { Failure } from './failure.ts';
import type { ShortRoute } from './short-way.ts';

/** What the routes of a dialect are given. */
export interface DialectOptions {
  readonly workflows: Workflows;
}

export interface Dialect {
  readonly name: string;
  /** Its paths begin with it; the longest that fits holds, also where no route does. */
  readonly prefixes: readonly string[];
  /** A Fastify plugin that is registered at the root; it writes its paths whole. */
  readonly routes: FastifyPluginAsync<DialectOptions>;
  /** Those of its routes that are answered ahead of the framework, where a request is plain. */
  readonly shortRoutes?: (options: DialectOptions) => readonly ShortRoute[];
  /** The body and the status of an answer that is an error. */
  answer(failure: Failure, request: FailedRequest): ErrorAnswer;
}

/** What is known of a request that failed. */
export interface FailedRequest {
  readonly host: string;
  readonly url: string;
  /** Of its route, where it has come so far. */
  readonly config: FastifyContextConfig;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** The shape of everything that no dialect claims: `{error: {code, message, details}}`. */
export function plainAnswer({ status, code, message, details, violations }: Failure): ErrorAnswer {
  const all = violations.length === 0 ? details : { ...details, violations };
  return { status, body: { error: { code, message, details: all } } };
}

/** The dialect that a path belongs to; undefined: none. */
export function dialectOf(dialects: readonly Dialect[], url: string): Dialect | undefined {
  const [path = ''] = url.split('?', 1);
  let found: Dialect | undefined;
  let longest = -1;
  for (const dialect of dialects) {
    for (const prefix of dialect.prefixes) {
      const fits = path === prefix || path.startsWith(`${prefix}/`);
      if (!fits || prefix.length <= longest) continue;
      longest = prefix.length;
      found = dialect;
    }
  }
  return found;
}
