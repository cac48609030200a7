import fc from 'fast-check';
import { expect, expectTypeOf, test } from 'vitest';
import { isLineshaftError } from './errors.ts';
import {
  type QueueDeclaration,
  queueColumns,
  queueDefaults,
  queueFromRow,
  queueSlug,
  validateProjectName,
  validateQueue,
  validateQueueName,
} from './queue.ts';

const full = {
  name: 'mail',
  project: 'shop',
  state: 'paused',
  resumeAt: '2030-01-31T08:00:00+02:00',
  concurrency: 20,
  tags: ['capability=smtp', '/zone=(eu|us)/'],
  executor: 'process',
  executorOptions: { size: 4, maxTasksPerChild: 0, memoryBytes: 268_435_456 },
  pollingIntervalMs: 250,
  priority: -5,
  maxAttempts: 3,
  backoff: { type: 'fixed', delayMs: 100 },
  limits: { timeoutMs: 1_000, memoryBytes: 16_777_216 },
  retention: { succeededMs: 0 },
  wake: 'always',
};

test('a declaration with everything is accepted, its time as a Date', () => {
  expect(validateQueue(full)).toEqual({ ...full, resumeAt: new Date('2030-01-31T06:00:00Z') });
});

test('a name is enough, and undefined is as good as left out', () => {
  const checked = validateQueue({ name: 'mail', priority: undefined, resumeAt: undefined });
  expect(Object.keys(checked)).toEqual(['name']);
  expectTypeOf(checked).toEqualTypeOf<QueueDeclaration>();
});

test('what was checked does not change with what the caller does to his object', () => {
  const given = { name: 'mail', tags: ['a'], limits: { timeoutMs: 5 } };
  const checked = validateQueue(given);
  given.tags.push('(');
  given.limits.timeoutMs = -1;
  expect(checked).toEqual({ name: 'mail', tags: ['a'], limits: { timeoutMs: 5 } });
});

test.each<[string, Record<string, unknown>, string]>([
  ['no name', {}, 'name must be 1 to 63 letters'],
  ['a name with blanks', { name: 'my mail' }, "starting with a letter or digit, not 'my mail'"],
  ['a bad project', { project: '../x' }, 'project must be'],
  [
    'a bad state',
    { state: 'pause' },
    "state must be 'active' or 'paused', not 'pause'; did you mean 'paused'?",
  ],
  ['a time without zone', { state: 'paused', resumeAt: '2030-01-01T00:00' }, 'resumeAt must be a valid Date'],
  ['a time without pause', { resumeAt: new Date() }, "left out, or given together with state: 'paused'"],
  ['no concurrency', { concurrency: 0 }, 'concurrency must be a whole number from 1 to 10000, not 0'],
  ['a tag that is a bad expression', { tags: ['/(/'] }, 'tags[0] is not a regular expression'],
  ['one tag instead of a list', { tags: '*' }, "tags must be an array, not '*'"],
  ['a bad executor', { executor: 'tread' }, "not 'tread'; did you mean 'thread'?"],
  ['a bad option of the executor', { executorOptions: { size: 0 } }, 'executorOptions.size must be'],
  [
    'a bad interval',
    { pollingIntervalMs: 9 },
    'pollingIntervalMs must be a whole number from 10 to 3600000, not 9',
  ],
  ['a bad priority', { priority: 40_000 }, 'priority must be a whole number from -32768 to 32767, not 40000'],
  ['a bad number of attempts', { maxAttempts: 1_001 }, 'maxAttempts must be a whole number from 1 to 1000'],
  ['a bad back-off', { backoff: 'fast' }, "backoff must be an object, not 'fast'"],
  ['a memory limit that is too small', { limits: { memoryBytes: 1 } }, 'limits.memoryBytes must be'],
  ['a negative retention', { retention: { failedMs: -1 } }, 'retention.failedMs must be'],
  ['a bad wake', { wake: true }, "wake must be 'auto', 'always' or 'never', not true"],
])('%s is refused', (_what, fields, message) => {
  const declaration = 'name' in fields || _what === 'no name' ? fields : { name: 'mail', ...fields };
  expect(() => validateQueue(declaration)).toThrow(message);
});

test.each([
  [{ name: 'mail', concurency: 5 }, "there is no option 'concurency'; did you mean 'concurrency'?"],
  [{ name: 'mail', limits: { timeout: 5 } }, "'limits.timeout'; did you mean 'limits.timeoutMs'?"],
  [{ name: 'mail', executorOptions: { maxTasks: 5 } }, "there is no option 'executorOptions.maxTasks'"],
])('%j: an unknown field is refused', (declaration, message) => {
  try {
    validateQueue(declaration);
    expect.unreachable();
  } catch (error) {
    expect(isLineshaftError(error, 'OPTION_UNKNOWN') && error.message).toContain(message);
  }
});

test.each([['a'], ['9'], ['mail'], ['Mail_1.eu-west'], ['x'.repeat(63)]])('%s is a name', (name) => {
  expect(validateQueueName(name)).toBe(name);
  expect(validateProjectName(name)).toBe(name);
});

test.each([[''], ['-a'], ['.a'], ['a b'], ['a/b'], ['ä'], ['a\n'], ['x'.repeat(64)], [5], [undefined]])(
  '%j is no name',
  (name) => {
    expect(() => validateQueueName(name)).toThrow(/^queue must be 1 to 63 letters, digits or '_ \. -'/);
    expect(() => validateProjectName(name)).toThrow(/^project must be 1 to 63 letters, digits or '_ \. -'/);
  },
);

test('a slug is the id of the project and the name', () => {
  expect(queueSlug(12, 'mail')).toBe('12-mail');
});

test('columns are those that were given; a state without a time clears the time', () => {
  expect(queueColumns({ name: 'mail', project: 'shop', pollingIntervalMs: 250 })).toEqual({
    polling_interval_ms: 250,
  });
  expect(queueColumns({ name: 'mail', state: 'active' })).toEqual({ state: 'active', resume_at: null });
  const time = new Date();
  expect(queueColumns({ name: 'mail', state: 'paused', resumeAt: time })).toEqual({
    state: 'paused',
    resume_at: time,
  });
});

const storedRow = {
  id: '7',
  project_id: '1',
  project: 'default',
  name: 'mail',
  slug: '1-mail',
  created_at: '2026-01-01 10:00:00.5+00',
  updated_at: '2026-01-01 12:00:00+02',
};

test('a row of texts becomes a queue', () => {
  const queue = queueFromRow({
    ...storedRow,
    state: 'paused',
    resume_at: '2030-01-01 00:00:00+00',
    concurrency: '20',
    tags: '{*,"zone=a \\"b\\" \\\\ c,d",spot}',
    executor: 'thread',
    executor_options: '{"size": 2}',
    polling_interval_ms: '1000',
    priority: '-1',
    max_attempts: '3',
    backoff: '{"type": "fixed", "delayMs": 1}',
    retry_rules: '[{"error": "TimeoutError", "fail": true}]',
    needs: '{"memory": 1073741824}',
    limits: '{"timeoutMs": 5}',
    steps: 't',
    retention: '{"succeededMs": 0, "failedMs": 1, "cancelledMs": 2}',
    wake: 'never',
  });
  expect(queue).toEqual({
    id: 7,
    projectId: 1,
    project: 'default',
    name: 'mail',
    slug: '1-mail',
    state: 'paused',
    resumeAt: new Date('2030-01-01T00:00:00Z'),
    concurrency: 20,
    tags: ['*', 'zone=a "b" \\ c,d', 'spot'],
    executor: 'thread',
    executorOptions: { size: 2 },
    pollingIntervalMs: 1_000,
    priority: -1,
    maxAttempts: 3,
    backoff: { type: 'fixed', delayMs: 1 },
    retryRules: [{ error: 'TimeoutError', fail: true }],
    needs: { memory: 1_073_741_824 },
    limits: { timeoutMs: 5 },
    retention: { succeededMs: 0, failedMs: 1, cancelledMs: 2 },
    wake: 'never',
    steps: true,
    weight: 1,
    createdAt: new Date('2026-01-01T10:00:00.500Z'),
    updatedAt: new Date('2026-01-01T10:00:00Z'),
  });
});

test('a row that the driver has parsed becomes a queue, and what is missing has its default', () => {
  const queue = queueFromRow({
    ...storedRow,
    id: 7,
    tags: ['spot'],
    resume_at: null,
    limits: { timeoutMs: 5 },
    retention: { failedMs: 1 },
    created_at: new Date(0),
    updated_at: new Date(0),
  });
  expect(queue).toMatchObject({
    tags: ['spot'],
    resumeAt: undefined,
    limits: { timeoutMs: 5 },
    concurrency: 10,
  });
  expect(queue.retention).toEqual({ ...queueDefaults.retention, failedMs: 1 });
  expect(queueFromRow({ ...storedRow, tags: '{}' }).tags).toEqual([]);
});

test('a row without the name of its project is a mistake of the statement', () => {
  expect(() => queueFromRow({ ...storedRow, project: undefined })).toThrow(TypeError);
});

test('whatever is declared is accepted unchanged or refused by an error of the catalogue', () => {
  const anyField = fc.constantFrom(
    'name',
    'tags',
    'limits',
    'backoff',
    'state',
    'executor',
    'retention',
    'priority',
  );
  fc.assert(
    fc.property(fc.dictionary(anyField, fc.anything()), (fields) => {
      try {
        expect(validateQueue(fields)).toMatchObject({ name: fields.name });
      } catch (error) {
        expect(isLineshaftError(error), String(error)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
