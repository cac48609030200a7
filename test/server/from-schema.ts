/** Values from JSON Schema, for fuzzing: some that fit, some that almost do, some that are anything. */

import fc from 'fast-check';

export type Schema = Readonly<Record<string, unknown>>;

/** Strings that break what takes them for granted. */
const nasty = fc.constantFrom(
  '',
  ' ',
  '0',
  '-1',
  'null',
  'true',
  '9'.repeat(40),
  '__proto__',
  'constructor',
  "'; drop table lineshaft.job; --",
  '%',
  '*',
  '${workflow.input.x}',
  '$.x',
  'a'.repeat(1_500),
  '\u{1F600}é中',
  'a/b',
  '..',
  'NaN',
  '2030-01-01',
  '00000000-0000-7000-8000-000000000000',
);

/** Texts of which some name what is there. */
export function anyText(known: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...known) },
    { weight: 2, arbitrary: nasty },
    { weight: 1, arbitrary: fc.string({ maxLength: 30, unit: 'grapheme' }) },
  );
}

const anyValue = fc.jsonValue({ maxDepth: 3, noUnicodeString: false } as fc.JsonSharedConstraints);

/** A value that a schema allows, or one that it does not. */
export function mostlyFits(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 4, arbitrary: fits(schema, known) }, { weight: 1, arbitrary: anyValue });
}

function fits(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  switch (schema['type']) {
    case 'string':
      return anyText(known);
    case 'integer':
    case 'number':
      return fc.oneof(
        fc.integer({
          min: Number(schema['minimum'] ?? -1_000),
          max: Math.min(Number(schema['maximum'] ?? 1_000), 1e9),
        }),
        fc.constantFrom(0, -1, 1.5, 2 ** 31, 2 ** 53, 1e300),
      );
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(mostlyFits((schema['items'] ?? {}) as Schema, known), { maxLength: 3 });
    case 'object':
      return objectOf(schema, known);
    default:
      return anyValue;
  }
}

function objectOf(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  const required = (schema['required'] ?? []) as string[];
  const record = fc.record(
    Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, mostlyFits(inner, known)])),
    { requiredKeys: required.filter((name) => name in properties) },
  );
  const free = fc.dictionary(fc.string({ maxLength: 8 }), anyValue, { maxKeys: 3 });
  return Object.keys(properties).length === 0 ? free : record;
}
