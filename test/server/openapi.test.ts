/** The document of all routes: checked in as it is made, served, and true. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenApiDocument } from '../../packages/server/src/index.ts';
import { openApiFile, openApiText } from '../../tools/generate-docs.ts';
import { type HttpSite, openHttpSite } from './http-site.ts';

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

let http: HttpSite;
let document: OpenApiDocument;

beforeAll(async () => {
  http = await openHttpSite();
  document = (await (await fetch(`${http.url}/api-docs`)).json()) as OpenApiDocument;
});

afterAll(async () => {
  await http.close();
});

const operations = (): [string, string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) =>
        [method, path, operation as unknown as Operation] as [string, string, Operation],
    ),
  );

describe('the OpenAPI document', () => {
  it('is checked in as it is made; if not, run: npx node tools/generate-docs.ts', async () => {
    const made = await openApiText();
    expect(readFileSync(openApiFile, 'utf8') === made).toBe(true);
    expect(document).toEqual(JSON.parse(made));
  });

  it('has every route, and no other', () => {
    const routes = http.server.routes().map(({ method, url }) => `${method.toLowerCase()} ${url}`);
    const described = operations().map(
      ([method, path]) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    );
    expect(described.sort()).toEqual([...new Set(routes)].sort());
    expect(described).toContain('get /api/tasks/poll/:tasktype');
  });

  it('names each operation once, and says what it is for and what it answers', () => {
    const ids = operations().map(([, , { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [method, path, { summary, tags, responses }] of operations()) {
      expect(`${method} ${path}: ${summary ?? 'no summary'}`).not.toContain('no summary');
      expect(tags, path).toHaveLength(1);
      expect(Object.keys(responses).length, path).toBeGreaterThan(1);
      for (const { description } of Object.values(responses)) expect(description, path).not.toBe('');
    }
  });

  it('describes every parameter of a path', () => {
    for (const [, path, { parameters = [] }] of operations()) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const described = parameters.filter((each) => each.in === 'path').map(({ name }) => name);
      expect(described, path).toEqual(named);
    }
  });

  it('has only references that lead somewhere', () => {
    const text = JSON.stringify(document);
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
      expect(document.components['schemas'], name).toHaveProperty(name);
    }
  });
});
