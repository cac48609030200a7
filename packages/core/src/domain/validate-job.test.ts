import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLineshaftError, type LineshaftError } from './errors.ts';
import { validateRequest } from './validate-job.ts';

const id = '017f22e2-79b0-7cc3-98c4-dc0c0c07398f';

/** The error that a request of kind `send-email` with these options is refused with. */
function refusal(options: unknown): LineshaftError {
  try {
    validateRequest(options);
  } catch (error) {
    if (isLineshaftError(error)) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test('a kind alone is a request: an empty payload and a template with the kind', () => {
  expect(validateRequest({ kind: 'clean-up' })).toEqual({
    kind: 'clean-up',
    id: undefined,
    payloadText: '{}',
    template: { kind: 'clean-up' },
    templateKey: '{"kind":"clean-up"}',
    uniqueKey: undefined,
  });
});

test('a request with everything becomes a template in one order, without id, payload and key', () => {
  const request = {
    meta: { trace: ['a', 1] },
    labels: { team: 'billing' },
    retention: { succeededMs: 0 },
    limits: { timeoutMs: 1_000 },
    requirements: ['zone=eu', 'capability=*', 'zone=eu'],
    unique: { key: 'user-5', states: ['failed', 'running'], keepMs: 1_000, onConflict: 'debounce' },
    backoff: { delayMs: 5, type: 'fixed' },
    maxAttempts: 3,
    runAt: new Date('2030-01-31T08:00:00Z'),
    priority: -5,
    project: 'shop',
    queue: 'mail',
    id: id.toUpperCase(),
    payload: { to: 'ada@example.org' },
    kind: 'send-email',
  };
  const valid = validateRequest(request);
  expect(valid).toMatchObject({
    kind: 'send-email',
    id,
    payloadText: '{"to":"ada@example.org"}',
    uniqueKey: 'user-5',
  });
  expect(Object.entries(valid.template)).toEqual([
    ['kind', 'send-email'],
    ['queue', 'mail'],
    ['project', 'shop'],
    ['priority', -5],
    ['runAt', '2030-01-31T08:00:00.000Z'],
    ['maxAttempts', 3],
    ['backoff', { type: 'fixed', delayMs: 5 }],
    ['unique', { states: ['waiting', 'running', 'failed'], keepMs: 1_000, onConflict: 'debounce' }],
    ['requirements', ['capability=*', 'zone=eu']],
    ['limits', { timeoutMs: 1_000 }],
    ['labels', { team: 'billing' }],
    ['meta', { trace: ['a', 1] }],
    ['retention', { succeededMs: 0 }],
  ]);
  expect(valid.templateKey).toBe(JSON.stringify(valid.template));
});

test('a unique key alone leaves an empty object in the template', () => {
  const { template, uniqueKey } = validateRequest({ kind: 'a', unique: { key: 'k' } });
  expect(template).toEqual({ kind: 'a', unique: {} });
  expect(uniqueKey).toBe('k');
});

test('options that are undefined count as not given', () => {
  const { template } = validateRequest({
    kind: 'a',
    queue: undefined,
    runAt: undefined,
    labels: { a: undefined },
  });
  expect(template).toEqual({ kind: 'a', labels: {} });
});

test.each<[Record<string, unknown>, string]>([
  [{ kind: '' }, "kind must be 1 to 200 letters, digits or '_ . : / @ -'"],
  [{ kind: undefined }, 'kind must be'],
  [{ kind: 'a b' }, "not 'a b'"],
  [{ kind: 'a\u0000' }, 'kind must be'],
  [{ kind: 'a\n' }, 'kind must be'],
  [{ kind: '-a' }, 'kind must be'],
  [{ kind: 'x'.repeat(201) }, 'kind must be'],
  [{ id: 5 }, 'id must be a UUID of version 7'],
  [{ id: '9b2a7c1e-0b7f-4a55-8a3c-1b2c3d4e5f60' }, 'id must be a UUID of version 7'],
  [
    { queue: 'a b' },
    "queue must be 1 to 63 letters, digits or '_ . -', starting with a letter or digit, not 'a b'",
  ],
  [{ project: '' }, 'project must be'],
  [{ priority: 1.5 }, 'priority must be a whole number from -32768 to 32767, not 1.5'],
  [{ priority: '5' }, "priority must be a whole number from -32768 to 32767, not '5'"],
  [{ runAt: new Date('nonsense') }, 'not an invalid date'],
  [{ runAt: '2030-01-31T08:00:00' }, 'an ISO 8601 text with a zone'],
  [{ runAt: 1_900_000_000_000 }, 'runAt must be a valid Date'],
  [{ delayMs: -1 }, 'delayMs must be a whole number from 0 to 315360000000, not -1'],
  [{ delayMs: Number.NaN }, 'delayMs must be'],
  [{ runAt: new Date(), delayMs: 0 }, 'runAt and delayMs cannot be given together; leave one of them out'],
  [{ maxAttempts: 0 }, 'maxAttempts must be a whole number from 1 to 1000, not 0'],
  [{ backoff: { type: 'fixed', delayMs: -1 } }, 'backoff.delayMs must be'],
  [{ unique: 'user-5' }, "unique must be an object, not 'user-5'"],
  [{ unique: {} }, 'unique.key must be a text of 1 to 500 characters, not undefined'],
  [{ unique: { key: 'x'.repeat(501) } }, 'unique.key must be a text of 1 to 500 characters'],
  [{ unique: { key: 'a\u0000' } }, 'unique.key has a NUL character'],
  [{ unique: { key: 'a\ud800' } }, 'unique.key has half of a surrogate pair'],
  [{ unique: { key: 'a', states: 'running' } }, "unique.states must be an array, not 'running'"],
  [{ unique: { key: 'a', states: ['runing'] } }, "unique.states[0] must be 'waiting', 'running'"],
  [{ unique: { key: 'a', states: ['runing'] } }, "not 'runing'; did you mean 'running'?"],
  [
    { unique: { key: 'a', keepMs: 5 } },
    "unique.keepMs needs 'succeeded', 'failed' or 'cancelled' in unique.states",
  ],
  [{ unique: { key: 'a', states: ['failed'], keepMs: 0 } }, 'unique.keepMs must be a whole number from 1 to'],
  [
    { unique: { key: 'a', onConflict: 'merge' } },
    "unique.onConflict must be 'keep', 'replace', 'debounce' or 'throttle'",
  ],
  [{ requirements: 'gpu' }, "requirements must be an array, not 'gpu'"],
  [{ requirements: ['has gpu'] }, 'requirements[0] must be key=value'],
  [{ requirements: Array(21).fill('a') }, 'requirements must have at most 20 entries, not 21'],
  [{ limits: { timeoutMs: 0 } }, 'limits.timeoutMs must be a whole number from 1 to 604800000, not 0'],
  [{ limits: { memoryBytes: 1_000_000 } }, 'limits.memoryBytes must be a whole number from 16777216'],
  [{ limits: new Map() }, 'limits must be an object'],
  [{ labels: ['a'] }, 'labels must be an object, not an array'],
  [{ labels: { a: 5 } }, 'labels.a must be a text of 0 to 255 characters, not 5'],
  [{ labels: { '': 'x' } }, "a key of labels must be a text of 1 to 63 characters, not ''"],
  [{ labels: { a: 'x\u0000' } }, 'labels.a has a NUL character'],
  [{ labels: { 'a\u0000': 'x' } }, 'a key of labels has a NUL character'],
  [
    { labels: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [n, ''])) },
    'labels must be at most 20, not 21',
  ],
  [{ meta: 'x' }, "meta must be an object, not 'x'"],
  [{ meta: { big: 'x'.repeat(16_384) } }, 'meta has 16394 bytes; at most 16384 are allowed'],
  [{ meta: { f: () => 1 } }, 'meta.f is a function'],
  [{ meta: { 'a\u0000': 1 } }, 'has a NUL character'],
  [
    { retention: { failedMs: '1d' } },
    "retention.failedMs must be a whole number from 0 to 315360000000, not '1d'",
  ],
  [{ retention: 0 }, 'retention must be an object, not 0'],
])('%o is refused: %s', (options, message) => {
  const error = refusal({ kind: 'send-email', ...options });
  expect(error.code).toBe('OPTION_INVALID');
  expect(error.message).toContain(message);
  expect(error.details.field).toBeTypeOf('string');
});

test.each<[Record<string, unknown>, string]>([
  [{ priorty: 5 }, "there is no option 'priorty'; did you mean 'priority'?"],
  [{ run_at: 5 }, "there is no option 'run_at'; did you mean 'runAt'?"],
  [{ run_at: undefined }, "there is no option 'run_at'"],
  [{ version: 2 }, "there is no option 'version'; options: id, queue"],
  [
    { backoff: { type: 'fixed', delayMs: 1, max: 5 } },
    "there is no option 'backoff.max'; options: type, delayMs",
  ],
  [{ unique: { key: 'a', state: [] } }, "there is no option 'unique.state'; did you mean 'unique.states'?"],
  [{ limits: { timeoutSeconds: 5 } }, "there is no option 'limits.timeoutSeconds'"],
  [{ retention: { succeeded: 5 } }, "did you mean 'retention.succeededMs'?"],
])('%o: an unknown option is refused', (options, message) => {
  const error = refusal({ kind: 'send-email', ...options });
  expect(error.code).toBe('OPTION_UNKNOWN');
  expect(error.message).toContain(message);
});

test.each([[undefined], [null], ['send-email'], [[]], [5]])('%j is no request', (request) => {
  expect(refusal(request).message).toMatch(/^job must be an object, not /);
});

test('a payload that is not JSON, or too large, is refused by its own code', () => {
  expect(refusal({ kind: 'a', payload: { f: () => 1 } }).code).toBe('PAYLOAD_INVALID');
  expect(refusal({ kind: 'a', payload: 'x'.repeat(1_048_575) }).code).toBe('PAYLOAD_TOO_LARGE');
  expect(() => validateRequest({ kind: 'a', payload: 'xxx' }, { payloadMaxBytes: 4 })).toThrow(
    /has 5 bytes; at most 4/,
  );
});

test('what a kind adds gives way to what the request says', () => {
  const defaults = { queue: 'mail', maxAttempts: 9, version: 3, pin: 'min', build: '1.2.0' } as const;
  expect(validateRequest({ kind: 'a' }, { defaults }).template).toEqual({ kind: 'a', ...defaults });
  expect(validateRequest({ kind: 'a', maxAttempts: 1 }, { defaults }).template.maxAttempts).toBe(1);
  expect(validateRequest({ kind: 'a' }).template).toEqual({ kind: 'a' });
});

const plainOptions = fc.record(
  {
    kind: fc.constantFrom('a', 'b'),
    queue: fc.constantFrom('x', 'y', undefined),
    priority: fc.integer({ min: -2, max: 2 }),
    delayMs: fc.integer({ min: 0, max: 2 }),
    maxAttempts: fc.integer({ min: 1, max: 2 }),
    requirements: fc.constantFrom(['a'], ['b', 'a'], []),
    labels: fc.constantFrom({ a: '1' }, { a: '2' }),
  },
  { requiredKeys: ['kind'] },
);

test('template keys are equal exactly when templates are, whatever was asked before', () => {
  fc.assert(
    fc.property(fc.array(plainOptions, { minLength: 2, maxLength: 20 }), (requests) => {
      const valid = requests.map((request) => validateRequest(request));
      for (const [place, one] of valid.entries()) {
        const { requirements, ...rest } = requests[place] ?? { kind: '' };
        const given = requirements === undefined ? rest : { ...rest, requirements: [...requirements].sort() };
        expect(one.template).toEqual(JSON.parse(JSON.stringify(given)));
        expect(one.kind).toBe(rest.kind);
        expect(one.templateKey).toBe(JSON.stringify(one.template));
      }
    }),
  );
});

test('whatever is asked is accepted or refused by an error of the catalogue, with a short message', () => {
  const names = [
    'kind',
    'payload',
    'id',
    'queue',
    'priority',
    'runAt',
    'backoff',
    'unique',
    'labels',
    'meta',
    'limits',
  ];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.anything({ withDate: true })), (fields) => {
      try {
        validateRequest({ kind: 'a', ...fields });
      } catch (error) {
        expect(isLineshaftError(error), String(error)).toBe(true);
        expect(String(error).length).toBeLessThan(500);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('the rules for kinds, names and ranges are those of SQL', () => {
  const sql = readFileSync(new URL('../../sql/migrations/0002_enqueue.sql', import.meta.url), 'utf8');
  expect(sql).toContain("!~ '^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,199}$'");
  const listed = /where k not in \(([^)]*)\)/.exec(sql)?.[1] ?? '';
  const inSql = listed.split(',').map((name) => name.trim().replaceAll("'", ''));
  const ours = ['kind', 'id', ...Object.keys(validateRequest(everything).template)];
  expect(new Set([...ours, 'delayMs', 'version', 'pin', 'build'])).toEqual(new Set(inSql));
  const ranges = [...sql.matchAll(/check_number\(template, '(\w+)', (-?\d+), (\d+)\)/g)];
  expect(ranges.map(([, field]) => field)).toEqual([
    ...['priority', 'maxAttempts', 'delayMs', 'version', 'preferMs'],
  ]);
  for (const [, field = '', low, high] of ranges.slice(0, 3)) {
    expect(validateRequest({ kind: 'a', [field]: Number(low) }).template).toHaveProperty(field, Number(low));
    expect(validateRequest({ kind: 'a', [field]: Number(high) }).template).toHaveProperty(
      field,
      Number(high),
    );
    expect(refusal({ kind: 'a', [field]: Number(low) - 1 }).code).toBe('OPTION_INVALID');
    expect(refusal({ kind: 'a', [field]: Number(high) + 1 }).code).toBe('OPTION_INVALID');
  }
});

const everything = {
  kind: 'a',
  queue: 'a',
  project: 'a',
  priority: 1,
  runAt: new Date(0),
  maxAttempts: 1,
  backoff: { type: 'fixed', delayMs: 1 },
  unique: { key: 'a' },
  requirements: [],
  needs: { gpu: '1' },
  prefers: ['a'],
  preferMs: 1,
  limits: {},
  under: ['api', { limit: 'tenant', key: 'acme', cost: 3 }],
  labels: {},
  meta: {},
  retention: {},
};
