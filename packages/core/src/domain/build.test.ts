import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBuilds, pinAllows } from './build.ts';

test('builds are ordered as semver.org does it, and other texts come before all versions', () => {
  const ordered = [
    '',
    '2025-12-31',
    '2026-01-01',
    'main',
    '0.9.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.9.0',
    '1.10.0',
    '10.0.0',
    '99999999999999999999.0.0',
  ];
  ordered.forEach((a, placeA) => {
    ordered.forEach((b, placeB) => {
      expect(Math.sign(compareBuilds(a, b)), `${a} and ${b}`).toBe(Math.sign(placeA - placeB));
    });
  });
});

test.each([
  ['1.2.3+abc', '1.2.3+def'],
  ['1.2.3', '1.2.3+def'],
  ['v1.2.3', '1.2.3'],
])('neither of %s and %s is later', (a, b) => {
  expect(compareBuilds(a, b)).toBe(0);
});

test.each<['none' | 'min' | 'exact', string, string, boolean]>([
  ['none', '2.0.0', '1.0.0', true],
  ['min', '1.9.0', '1.10.0', true],
  ['min', '1.10.0', '1.9.0', false],
  ['min', '1.2.0+abc', '1.2.0+def', true],
  ['min', '1.2.0', '1.2.0-rc.1', false],
  ['exact', '1.2.0', '1.2.0', true],
  ['exact', '1.2.0+abc', '1.2.0+def', false],
  ['exact', '1.2.0', '1.3.0', false],
])('a job pinned %s to %s may run on %s: %s', (pin, pinned, build, allowed) => {
  expect(pinAllows(pin, pinned, build)).toBe(allowed);
});

const version = fc
  .tuple(
    fc.nat(20),
    fc.nat(20),
    fc.nat(20),
    fc.constantFrom('', '-rc.1', '-rc.2', '-1', '-a', '+c1', '-a+c2'),
  )
  .map(([major, minor, patch, rest]) => `${major}.${minor}.${patch}${rest}`);
const build = fc.oneof(
  version,
  fc.string({ maxLength: 8 }),
  fc.constantFrom('1.2', '1.2.3.4', 'v1', '01.2.3'),
);

test('the order is total: it is antisymmetric and transitive', () => {
  fc.assert(
    fc.property(build, build, build, (a, b, c) => {
      expect(Math.sign(compareBuilds(a, b))).toBe(0 - Math.sign(compareBuilds(b, a)));
      expect(compareBuilds(a, a)).toBe(0);
      if (compareBuilds(a, b) <= 0 && compareBuilds(b, c) <= 0) {
        expect(compareBuilds(a, c)).toBeLessThanOrEqual(0);
      }
    }),
    { numRuns: 1_000 },
  );
});
