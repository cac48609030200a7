/**
 * Every route of the OpenAPI document with generated parameters and bodies: nothing is answered with a 500 that Conductor
 * does not answer so too, every error has the shape of its dialect, and the server serves on.
 */

import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OpenApiDocument } from '../../packages/server/src/index.ts';
import { anyText, mostlyFits, type Schema } from './from-schema.ts';
import { type HttpSite, openHttpSite } from './http-site.ts';

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly body: string | undefined;
}

/** What Conductor answers with 500, and so do we: wrong states of some calls, and parameters that are missing. */
const statusesOfConductor = new Set(['RUN_STATE', 'REQUEST_INVALID']);
const runsOfEach = 12;
/** Waits are short here; their bounds are tested where they are made. */
const waits = new Set(['timeout', 'timeoutMillis', 'waitForSeconds']);

let http: HttpSite;
let document: OpenApiDocument;
/** Ids and names of what is there. */
let known: string[];

beforeAll(async () => {
  http = await openHttpSite();
  document = await http.server.openApi();
  known = await makeRuns();
});

/** Runs that wait for a worker, one of which has been polled; and what they are made of. */
async function makeRuns(): Promise<string[]> {
  const call = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await fetch(http.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect(answer.ok, path).toBe(true);
    return await answer.text();
  };
  await call('POST', '/api/metadata/taskdefs', [
    { name: 'known', retryCount: 1, retryDelaySeconds: 0, timeoutSeconds: 0 },
  ]);
  await call('POST', '/api/metadata/workflow', {
    name: 'known',
    tasks: [
      { name: 'known', taskReferenceName: 'first', type: 'SIMPLE' },
      { name: 'wait', taskReferenceName: 'second', type: 'WAIT' },
    ],
  });
  const ids: string[] = [];
  for (let n = 0; n < 4; n += 1) ids.push(await call('POST', '/api/workflow/known?correlationId=known', {}));
  const polled = JSON.parse(await call('GET', '/api/tasks/poll/batch/known?count=2&timeout=5000')) as {
    taskId: string;
  }[];
  return ['known', 'first', 'second', 'COMPLETED', 'FAILED', ...ids, ...polled.map(({ taskId }) => taskId)];
}

afterAll(async () => {
  await http.close();
});

function requestsOf(method: string, path: string, operation: Operation): fc.Arbitrary<Request> {
  const { parameters = [], requestBody } = operation;
  const inPath = fc.record(
    Object.fromEntries(
      parameters
        .filter((each) => each.in === 'path')
        .map(({ name }) => [name, anyText(known).filter((text) => text !== '')]),
    ),
  );
  const query = fc.record(
    Object.fromEntries(
      parameters
        .filter((each) => each.in === 'query')
        .map(({ name, schema }) => [
          name,
          waits.has(name) ? fc.constantFrom(0, 1, -1, 'x') : mostlyFits(schema, known),
        ]),
    ),
    { requiredKeys: [] },
  );
  const schema = Object.values(requestBody?.content ?? {})[0]?.schema ?? {};
  const body: fc.Arbitrary<string | undefined> =
    method === 'get'
      ? fc.constant(undefined)
      : fc.oneof(
          { weight: 8, arbitrary: mostlyFits(schema, known).map((value) => JSON.stringify(value)) },
          { weight: 1, arbitrary: fc.constantFrom('', '{', '[]', 'null', '"x"', '{"a":"\\u0000"}') },
          { weight: 1, arbitrary: fc.constant(undefined) },
        );
  return fc.record({ inPath, query, body }).map((made) => {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(String(made.inPath[name]).toWellFormed()).replace(/^\.+$/, '%2E'),
    );
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(made.query)) {
      for (const each of [value].flat())
        search.append(name, typeof each === 'object' ? JSON.stringify(each) : String(each));
    }
    return { method: method.toUpperCase(), url: `${filled}?${search}`, body: made.body };
  });
}

async function judge({ method, url, body }: Request): Promise<void> {
  const answer = await fetch(http.url + url, {
    method,
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(30_000),
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  if (answer.status < 400) return;
  const said = JSON.parse(text) as {
    status?: number;
    code?: string;
    message?: string;
    error?: { code?: string };
  };
  if (url.startsWith('/api/')) {
    expect(said).toMatchObject({
      status: answer.status,
      message: expect.any(String),
      retryable: expect.any(Boolean),
    });
  }
  const code = said.code ?? said.error?.code ?? '';
  expect(`${answer.status} ${code}`).toSatisfy(() => answer.status < 500 || statusesOfConductor.has(code));
}

it('no route is hurt by what it is sent', async () => {
  const hurt: string[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (path === '/readyz') continue;
      const told = http.site.log.lines.length;
      await fc
        .assert(fc.asyncProperty(requestsOf(method, path, operation as Operation), judge), {
          numRuns: runsOfEach,
          seed: 42,
          endOnFailure: true,
        })
        .catch((error: unknown) => {
          const lines = http.site.log.lines.slice(told).join('\n');
          hurt.push(`${method} ${path}: ${String(error)}\n${lines}`);
        });
    }
  }
  expect(hurt).toEqual([]);
  expect((await fetch(`${http.url}/healthz`)).status).toBe(200);
}, 300_000);
