/** The routes that there are, as they were registered: for 405 in place of 404, for the document, for tests. */

import type { RouteOptions } from 'fastify';

export interface KnownRoute {
  readonly method: string;
  /** With parameters as `:name`. */
  readonly url: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
}

export class RouteTable {
  private readonly known: KnownRoute[] = [];
  private patterns: Map<RegExp, string[]> | undefined;

  add({ method, url, schema, config }: RouteOptions): void {
    for (const each of [method].flat()) {
      // Fastify adds HEAD to each GET by itself.
      if (each === 'HEAD') continue;
      this.known.push({
        method: each,
        url,
        schema: (schema ?? {}) as KnownRoute['schema'],
        config: (config ?? {}) as KnownRoute['config'],
      });
    }
    this.patterns = undefined;
  }

  list(): readonly KnownRoute[] {
    return this.known;
  }

  /** Which methods a path takes; none where there is no such path. Asked only of paths that were not found. */
  methodsOf(url: string): string[] {
    const [path = ''] = url.split('?', 1);
    this.patterns ??= this.compile();
    const found = [...this.patterns].filter(([pattern]) => pattern.test(path));
    return [...new Set(found.flatMap(([, methods]) => methods))].sort();
  }

  private compile(): Map<RegExp, string[]> {
    const byUrl = Map.groupBy(this.known, ({ url }) => url);
    return new Map(
      [...byUrl].map(([url, routes]) => [patternOf(url), routes.map(({ method }) => method)] as const),
    );
  }
}

function patternOf(url: string): RegExp {
  const parts = url
    .split('/')
    .map((part) =>
      part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    );
  return new RegExp(`^${parts.join('/')}$`);
}
