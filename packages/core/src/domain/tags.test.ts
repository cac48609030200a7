import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  automaticTags,
  queueMatchesWorker,
  requirementsMet,
  validateTag,
  validateTagPattern,
  validateTagPatterns,
} from './tags.ts';

const facts = {
  hostname: 'web-1.example.org',
  workerId: 'w1',
  os: 'linux',
  arch: 'x64',
  node: '24.1.0',
  pid: 4711,
  build: '1.2.0+abc',
};
const workerTags = [...automaticTags(facts), 'capability=gpu-large', 'zone=eu', 'spot'];

test('every worker has these tags by itself', () => {
  expect(automaticTags({ ...facts, python: '3.11.2' })).toEqual([
    '*',
    'hostname=web-1.example.org',
    'worker_id=w1',
    'os=linux',
    'arch=x64',
    'node=24.1.0',
    'python=3.11.2',
    'pid=4711',
    'build=1.2.0+abc',
  ]);
});

test('a fact that is missing gives no tag, and what a tag cannot have is left out of it', () => {
  const tags = automaticTags({ ...facts, hostname: ' a*b\u0000\nc ', workerId: 'x'.repeat(999), build: '' });
  expect(tags).toContain('hostname=abc');
  expect(tags.filter((tag) => /^(python|build)=/.test(tag))).toEqual([]);
  expect(Math.max(...tags.map((tag) => tag.length))).toBe(255);
  for (const tag of tags.slice(1)) expect(validateTag(tag)).toBe(tag);
});

test.each([
  ['*', true],
  ['capability=gpu-large', true],
  ['capability=gpu', false],
  ['capability', false],
  ['capability=*', true],
  ['capabilit=*', false],
  ['capability=gpu*', false],
  ['CAPABILITY=gpu-large', false],
  ['spot', true],
  ['spo', false],
  ['spot=*', false],
  ['.*', false],
  ['/.*/', true],
  ['/capability=gpu/', false],
  ['/capability=gpu-(large|small)/', true],
  ['/zone=(eu|us)(-[a-z]+)?/', true],
  ['/hostname=web-\\d+\\.example\\.org/', true],
  ['/ZONE=eu/', false],
  ['/(/', false],
  ['//', false],
  ['', false],
])('the pattern %s finds the worker: %s', (pattern, found) => {
  expect(queueMatchesWorker([pattern], workerTags)).toBe(found);
  expect(requirementsMet([pattern], workerTags)).toBe(found);
});

test('any pattern of a queue is enough, all requirements of a job are needed', () => {
  expect(queueMatchesWorker(['zone=us', 'zone=eu'], workerTags)).toBe(true);
  expect(requirementsMet(['zone=us', 'zone=eu'], workerTags)).toBe(false);
  expect(requirementsMet(['capability=*', 'zone=eu', '*'], workerTags)).toBe(true);
  expect(queueMatchesWorker([], workerTags)).toBe(false);
  expect(requirementsMet([], [])).toBe(true);
  expect(queueMatchesWorker(['*'], [])).toBe(true);
});

test.each([
  ['*'],
  ['key=*'],
  ['capability=gpu'],
  ['spot'],
  ['path=/a/b'],
  ['/a|b/'],
  ['/[(+*]{1,3}/'],
  ['/\\p{L}+/'],
  ['x='],
])('the pattern %s is valid', (pattern) => {
  expect(validateTagPattern(pattern)).toBe(pattern);
});

test.each([
  ['/(/', 'tags is not a regular expression'],
  ['/a{2,1}/', 'tags is not a regular expression'],
  ['//', 'tags must have an expression between its slashes'],
  ['/(a+)+$/', 'tags must not repeat a group'],
  ['/(?:a|aa)*/', 'tags must not repeat a group'],
  ['/(a)\\1/', 'tags must have no back-references'],
  ['/a?a?a?a?aaaa/', 'tags must have at most three repetitions'],
  ['/(a|aa)(a|aa)(a|aa)(a|aa)/', 'tags must have at most three groups'],
  [`/${'a'.repeat(201)}/`, 'tags must have at most 200 characters between its slashes'],
  ['.*', 'tags must be key=value'],
  ['*=gpu', 'tags must be key=value'],
  ['=gpu', 'tags must be key=value'],
  ['has gpu', 'tags must be key=value'],
  [
    'key=web-*',
    "tags may have '*' only in a pattern, alone ('*') or as a whole value ('key=*'), not 'key=web-*'",
  ],
  ['key= gpu', 'tags must have no blanks at the ends of its value'],
  ['key=a\nb', 'tags must have no blanks at the ends of its value, and no control characters'],
  ['key=a\u0000', 'tags has a NUL character'],
  ['key=\ud800', 'tags has half of a surrogate pair'],
  ['', 'tags must be a text of 1 to 255 characters'],
  [`key=${'x'.repeat(255)}`, 'tags must be a text of 1 to 255 characters'],
  [5, 'tags must be a text of 1 to 255 characters, not 5'],
])('the pattern %j is refused: %s', (pattern, message) => {
  expect(() => validateTagPattern(pattern, 'tags')).toThrow(message);
});

test.each([['*'], ['key=*'], ['/zone=.*/']])('the pattern %s is no tag of a worker', (pattern) => {
  expect(() => validateTag(pattern)).toThrow();
});

test('a list has each pattern once, and names the place of a wrong one', () => {
  expect(validateTagPatterns(['b', 'a', 'b'], 'tags')).toEqual(['b', 'a']);
  expect(() => validateTagPatterns(['a', '/(/'], 'requirements')).toThrow(
    'requirements[1] is not a regular expression',
  );
  expect(() => validateTagPatterns('gpu', 'tags')).toThrow("tags must be an array, not 'gpu'");
  expect(() => validateTagPatterns(Array(21).fill('a'), 'requirements', 20)).toThrow(
    'requirements must have at most 20 entries, not 21',
  );
});

const anyKey = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,20}$/);
const anyTag = fc
  .tuple(anyKey, fc.option(fc.string({ maxLength: 20, unit: 'binary' }), { nil: undefined }))
  .map(([key, value]) => (value === undefined ? key : `${key}=${value}`))
  .filter((tag) => {
    try {
      return validateTag(tag) === tag;
    } catch {
      return false;
    }
  });

test('a valid tag matches itself and nothing that is longer or shorter', () => {
  fc.assert(
    fc.property(anyTag, anyTag, (tag, other) => {
      expect(queueMatchesWorker([tag], [tag])).toBe(true);
      expect(queueMatchesWorker([tag], [other])).toBe(tag === other);
      expect(queueMatchesWorker([tag], [`${tag}x`])).toBe(false);
    }),
  );
});

test('matching never throws and ends soon, whatever is in the database', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.string({ maxLength: 40 }).map((body) => `/${body}/`),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 5 }), fc.array(text, { maxLength: 5 }), (patterns, tags) => {
      expect(typeof queueMatchesWorker(patterns, tags)).toBe('boolean');
      expect(typeof requirementsMet(patterns, tags)).toBe('boolean');
    }),
  );
});

test('the worst expression that is accepted ends soon', () => {
  const pattern = validateTagPattern('/(.*|a)(.*|aa)(.*|aaa)b/');
  const started = performance.now();
  expect(queueMatchesWorker([pattern], [`k=${'a'.repeat(250)}`])).toBe(false);
  expect(performance.now() - started).toBeLessThan(2_000);
});
