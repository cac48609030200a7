/** Workflows that are made to hurt: each is refused or fails by itself, and others are served meanwhile. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../worker/site.ts';
import { type HttpSite, openHttpSite } from './http-site.ts';

let http: HttpSite;

beforeAll(async () => {
  http = await openHttpSite();
  await http.site.lineshaft.worker({ handlers: {}, signals: false }).start();
});

afterAll(async () => {
  await http.close();
});

async function post(path: string, body: unknown): Promise<{ status: number; text: string }> {
  const answer = await fetch(http.url + path, { method: 'POST', body: JSON.stringify(body) });
  return { status: answer.status, text: await answer.text() };
}

/** Answers with what became of it; meanwhile others are served. */
async function whileServed<Result>(work: Promise<Result>): Promise<Result> {
  let over = false;
  const watched = work.finally(() => {
    over = true;
  });
  do {
    expect((await fetch(`${http.url}/healthz`, { signal: AbortSignal.timeout(10_000) })).status).toBe(200);
    await Promise.race([watched.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 20))]);
  } while (!over);
  return await watched;
}

/** How a run ends. */
function endOf(runId: string): Promise<string> {
  return until(
    'it has ended',
    async () => {
      const answer = await fetch(`${http.url}/api/workflow/${runId}?includeTasks=false`);
      const { status } = (await answer.json()) as { status: string };
      return status === 'RUNNING' ? undefined : status;
    },
    60_000,
  );
}

const define = (name: string, tasks: unknown[]): Promise<{ status: number; text: string }> =>
  whileServed(post('/api/metadata/workflow', { name, tasks }));

const simple = (ref: string): object => ({ name: 'x', taskReferenceName: ref, type: 'SIMPLE' });

function nested(levels: number): object {
  let inner: object = simple('innermost');
  for (let level = 0; level < levels; level += 1) {
    inner = {
      name: 'loop',
      taskReferenceName: `loop_${level}`,
      type: 'DO_WHILE',
      loopCondition: 'false',
      loopOver: [inner],
    };
  }
  return inner;
}

describe('definitions', () => {
  it('of a thousand levels are refused', async () => {
    const { status, text } = await define('deep', [nested(1_000)]);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({
      status: 400,
      message: expect.stringMatching(/deep|level|nest/i),
    });
  });

  it('as deep as bodies may be are taken or refused, not failed at', async () => {
    const { status } = await define('deepest', [nested(160)]);
    expect([200, 400]).toContain(status);
  });

  it('of ten thousand steps are taken or refused, and one that is taken runs', async () => {
    const tasks = Array.from({ length: 10_000 }, (_, n) => ({
      name: 'set',
      taskReferenceName: `set_${n}`,
      type: 'SET_VARIABLE',
      inputParameters: { n },
    }));
    const { status } = await define('huge', tasks);
    expect([200, 400, 413]).toContain(status);
    if (status !== 200) return;
    const started = await whileServed(post('/api/workflow/huge', {}));
    expect(started.status).toBe(200);
    expect(await whileServed(endOf(started.text))).toBe('COMPLETED');
  }, 90_000);

  it('that start each other without end are refused', async () => {
    const sub = (name: string): object => ({
      name: 'sub',
      taskReferenceName: 'sub',
      type: 'SUB_WORKFLOW',
      subWorkflowParam: { name, version: 1 },
    });
    const results = [await define('snake', [sub('tail')]), await define('tail', [sub('snake')])];
    expect(results.map(({ status }) => status)).toContain(400);
    expect((await define('self', [sub('self')])).status).toBe(400);
  });
});

describe('expressions', () => {
  it.each([
    ['that never end', 'while (true) {}'],
    ['that want all memory', 'const a = []; while (true) a.push(new Array(1000).fill("x".repeat(1000)))'],
    ['that want a long text', '"x".repeat(2 ** 30).length'],
    ['that call themselves', 'function f() { return f() + 1 } f()'],
    ['that look for a way out', '({}).constructor.constructor("return process")().exit(1)'],
    ['that import', 'require("child_process").execSync("id")'],
    ['that backtrack', '/^(a+)+$/.test("a".repeat(40) + "!")'],
  ])(
    '%s end their own run only',
    async (what, expression) => {
      const name = `evil ${what}`.replaceAll(' ', '_');
      const inline = {
        name: 'inline',
        taskReferenceName: 'inline',
        type: 'INLINE',
        inputParameters: { evaluatorType: 'graaljs', expression },
      };
      expect((await define(name, [inline])).status).toBe(200);
      const ended = await whileServed(
        (async () => {
          const { status, text } = await post(`/api/workflow/${name}`, {});
          expect(status).toBe(200);
          return await endOf(text);
        })(),
      );
      expect(ended).toBe('FAILED');
    },
    60_000,
  );
});
