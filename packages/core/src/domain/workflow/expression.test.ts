import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expressionsIn, literal, resolve, type Scope } from './expression.ts';

const documents: Record<string, unknown> = {
  workflow: {
    input: {
      name: 'ann',
      key: 'name',
      none: null,
      list: [1, 2, 3, 4],
      'key with space': 7,
      items: [
        { id: 1, price: 5, tag: 'a-1', tags: ['x'] },
        { id: 2, price: 15, tag: 'b-2', tags: ['x', 'y'] },
        { id: 3, tag: 'A-3' },
      ],
      deep: { id: 9, inner: { id: 10 } },
      flag: true,
      sneaky: '${workflow.input.name}',
    },
    status: 'RUNNING',
    version: 2,
  },
  first: {
    input: {},
    output: { n: 3, text: 'hi', map: { a: 1, b: ['x', null], c: { d: true } } },
    status: 'COMPLETED',
  },
};
const scope: Scope = {
  lookup: (name) => (Object.hasOwn(documents, name) ? documents[name] : undefined),
  names: () => Object.keys(documents),
  taskId: 'the-step',
  environment: { STAGE: 'test' },
};
const items = (documents['workflow'] as { input: { items: { id: number }[] } }).input.items;

const cases: [string, unknown][] = [
  // Whole texts keep the type.
  ['${workflow.input.name}', 'ann'],
  ['${first.output.n}', 3],
  ['${first.output.map}', { a: 1, b: ['x', null], c: { d: true } }],
  ['${workflow.input.flag}', true],
  ['${$.workflow.input.name}', 'ann'],
  ['${ workflow.input.name }', 'ann'],
  ['${first}', documents['first']],
  // Embedded ones become text.
  ['a ${first.output.n} b', 'a 3 b'],
  [' ${first.output.n}', ' 3'],
  ['${first.output.n}${first.output.n}', '33'],
  ['is ${workflow.input.none} and ${first.output.none}', 'is null and null'],
  ['m=${first.output.map}', 'm={a=1, b=[x, null], c={d=true}}'],
  // What is missing is null.
  ['${nobody.output.x}', null],
  ['${first.output.map.a.b.c}', null],
  ['${workflow.input.none.x}', null],
  ['${workflow.input.list[9]}', null],
  ['${workflow.input.list.x}', null],
  ['${workflow.input.}', null],
  ['${workflow..}', null],
  ['${workflow.input.name name}', null],
  ['${workflow.input[}', null],
  // Empty, escaped, unclosed.
  ['${}', ''],
  ['${  }', ''],
  ['a${}b', 'ab'],
  ['$${workflow.input.name}', '${workflow.input.name}'],
  ['$$${workflow.input.name}', '$${workflow.input.name}'],
  ['$${a ${first.output.n}}', '${a 3}'],
  ['${workflow.input.name', '${workflow.input.name'],
  ['costs $5 {x}', 'costs $5 {x}'],
  ['{"n": ${first.output.n}}', '{"n": 3}'],
  // Nested.
  ['${workflow.input.${workflow.input.key}}', 'ann'],
  ['${workflow.input.${workflow.input.nothing}}', null],
  ['x ${workflow.input.${workflow.input.key}} y', 'x ann y'],
  // What came in by data is not read as an expression again.
  ['${workflow.input.sneaky}', '${workflow.input.name}'],
  ['-${workflow.input.sneaky}', '-${workflow.input.name}'],
  // Names, indices, slices, wildcards.
  ["${workflow.input['key with space']}", 7],
  ['${workflow["input"]["name"]}', 'ann'],
  ["${['first'].output.n}", 3],
  ['${workflow.input.list[0]}', 1],
  ['${workflow.input.list[-1]}', 4],
  ['${workflow.input.list[0,2]}', [1, 3]],
  ['${workflow.input.list[1:3]}', [2, 3]],
  ['${workflow.input.list[:2]}', [1, 2]],
  ['${workflow.input.list[-2:]}', [3, 4]],
  ['${workflow.input.list[*]}', [1, 2, 3, 4]],
  ['${workflow.input.items[*].price}', [5, 15]],
  ['${workflow.input.items[*].nothing}', []],
  ['${workflow.input.nothing[*].x}', []],
  ["${workflow.input['name','key']}", { name: 'ann', key: 'name' }],
  ['${workflow.input.deep..id}', [9, 10]],
  ['${*.status}', ['RUNNING', 'COMPLETED']],
  ['${workflow.input.list.length()}', 4],
  ['${workflow.input.list.sum()}', 10],
  ['${workflow.input.items[*].price.max()}', 15],
  // Filters.
  ['${workflow.input.items[?(@.id == 2)].tag}', ['b-2']],
  ["${workflow.input.items[?(@.id == '2')].tag}", ['b-2']],
  ['${workflow.input.items[?(@.price)].id}', [1, 2]],
  ['${workflow.input.items[?(!@.price)].id}', [3]],
  ['${workflow.input.items[?(@.price > 4 && @.price < 10 || @.id == 3)].id}', [1, 3]],
  ['${workflow.input.items[?(@.id > 1 && (@.id < 3 || @.id == 3))].id}', [2, 3]],
  ['${workflow.input.items[?(@.tag =~ /a.*/i)].id}', [1, 3]],
  ['${workflow.input.items[?(@.id in [1, 3])].id}', [1, 3]],
  ['${workflow.input.items[?(@.id nin [1, 3])].id}', [2]],
  ["${workflow.input.items[?(@.tags contains 'y')].id}", [2]],
  ['${workflow.input.items[?(@.tags size 2)].id}', [2]],
  ['${workflow.input.items[?(@.id == $.first.output.n)]}', [items[2]]],
  ['${workflow.input.items[?(@.id != 1)].id}', [2, 3]],
  ['${workflow.input.items[?(@.tag =~ /(a+)+b/)].id}', null],
  // Environment, the step's id, secrets.
  ['${CPEWF_TASK_ID}', 'the-step'],
  ['${STAGE}', 'test'],
  ['${workflow.env.STAGE}', 'test'],
  ['${HOME}', null],
  ['${workflow.env.HOME}', null],
  ['${workflow.secrets.KEY}', '${workflow.secrets.KEY}'],
  ['Bearer ${workflow.secrets.KEY.part}', 'Bearer ${workflow.secrets.KEY.part}'],
  // Only own properties.
  ['${constructor}', null],
  ['${__proto__}', null],
  ['${first.constructor.name}', null],
  ['${first.__proto__.toString}', null],
  ["${first['__proto__']}", null],
  ['${first.output.text.length}', null],
  ['${toString}', null],
];

test.each(cases)('%s', (text, expected) => {
  expect(resolve(text, scope)).toEqual(expected);
  // From the kept compilation too.
  expect(resolve(text, scope)).toEqual(expected);
});

test('objects and lists are resolved through, names are not, and what has no expression is shared', () => {
  const plain = { deep: [1, { x: 'y' }] };
  const resolved = resolve(
    { plain, '${first.output.n}': ['${first.output.n}', { n: 'n=${first.output.n}' }] },
    scope,
  ) as Record<string, unknown>;
  expect(resolved).toEqual({ plain, '${first.output.n}': [3, { n: 'n=3' }] });
  expect(resolved['plain']).toBe(plain);
});

test('a name __proto__ in a template stays a name', () => {
  const template: unknown = JSON.parse('{"__proto__": {"polluted": "${first.output.n}"}}');
  const resolved = resolve(template, scope) as object;
  expect(Object.getPrototypeOf(resolved)).toBe(Object.prototype);
  expect(JSON.stringify(resolved)).toBe('{"__proto__":{"polluted":3}}');
});

test('only what occurs is looked up', () => {
  const asked: string[] = [];
  const lookup = (name: string) => {
    asked.push(name);
    return undefined;
  };
  resolve({ a: 'none', b: '${one.output.x}', c: '${two.output}' }, { lookup });
  expect(asked).toEqual(['one', 'two']);
});

test('the expressions of a value are listed, nested ones too', () => {
  expect(expressionsIn({ a: ['${x.output.${y.output.k}}', 'no'], b: 'a ${z} b $${w}' }).sort()).toEqual([
    'x.output.${y.output.k}',
    'y.output.k',
    'z',
  ]);
});

test('hostile texts and documents are bounded', () => {
  const large = 'x'.repeat(1_000_000);
  const document = { a: large, wide: Array.from({ length: 3_000 }, (_, id) => ({ id })) };
  const hostile: Scope = { lookup: () => document };
  expect(() => resolve('${s.a} '.repeat(20), hostile)).toThrow(/grow beyond/);
  expect(() => resolve('${s.wide[?(@.id in $.s.wide)]}', hostile)).toThrow(/more values than/);
  let deep: unknown = '${s.a}';
  for (let level = 0; level < 1_000; level += 1) deep = [deep];
  expect(() => resolve(deep, hostile)).toThrow(/200 deep/);
  expect(resolve('${'.repeat(200_000), hostile)).toBe('${'.repeat(200_000));
  expect(resolve(`${'${'.repeat(2_000)}x${'}'.repeat(2_000)}`, hostile)).toBeTypeOf('object');
  expect(resolve(`\${a[?(${'('.repeat(5_000)}@.x${')'.repeat(5_000)})]}`, hostile)).toBeNull();
  expect(resolve(`\${a[?(${'!'.repeat(1_900)}@.x)]}`, hostile)).toBeNull();
  let nested: unknown = 1;
  for (let level = 0; level < 50_000; level += 1) nested = { id: nested };
  expect(resolve('${s..id.length()}', { lookup: () => nested })).toBeGreaterThan(1);
});

test('any text has an answer, whatever is in it, and what has no dollar is itself', () => {
  const pieces = [
    '${',
    '}',
    '$',
    'workflow',
    '.',
    '..',
    'input',
    '[',
    ']',
    '*',
    '?',
    '(',
    ')',
    '@',
    "'",
    '"',
    '0',
    ':',
  ];
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 25 });
  fc.assert(
    fc.property(text, (parts) => {
      const source = parts.join('');
      const answer = resolve(source, scope);
      if (!source.includes('$')) expect(answer).toBe(source);
      expect(() => JSON.stringify(answer)).not.toThrow();
    }),
    { numRuns: 2_000 },
  );
});

test('a literal comes back as it is, whatever stands in it', () => {
  const text = fc
    .array(fc.constantFrom('${', '}', '$', '$$', 'workflow.input.name', 'x', '{'), { maxLength: 8 })
    .map((parts) => parts.join(''));
  const value = fc.oneof(text, fc.array(fc.oneof(text, fc.integer())), fc.dictionary(fc.string(), text));
  fc.assert(
    fc.property(value, (given) => {
      expect(resolve({ given: literal(given) }, scope)).toEqual({ given });
    }),
    { numRuns: 1_000 },
  );
  const plain = { list: [{ text: 'x' }] };
  expect(literal(plain)).toBe(plain);
});

test('a path to any place of any document finds what is there', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), (document) => {
      for (const [name, value] of Object.entries(document)) {
        const quoted = name.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
        // Braces are counted before paths are read, also in quotes.
        if (/[{}$]/.test(name)) continue;
        const found = resolve(`\${s['${quoted}']}`, { lookup: () => document });
        expect(found).toEqual(value);
      }
    }),
    { numRuns: 500 },
  );
});
