import { describe, expect, test } from 'vitest';
import { definePlugin, type Plugin } from '../plugin.ts';
import { orderPlugins } from './order.ts';

const named = (name: string, dependsOn: readonly string[] = []): Plugin =>
  definePlugin({ name, dependsOn })();
const names = (plugins: readonly Plugin[]): string[] => plugins.map((plugin) => plugin.name);
const builtIn = [named('leader'), named('promoter'), named('keeper', ['leader'])];

describe('the order of plugins', () => {
  test('is as listed, built-ins first', () => {
    expect(names(orderPlugins(builtIn, [named('mine')], []))).toEqual([
      'leader',
      'promoter',
      'keeper',
      'mine',
    ]);
  });

  test('puts what is depended on first', () => {
    const given = [named('b', ['c']), named('a'), named('c', ['a', 'keeper'])];
    expect(names(orderPlugins([], [...builtIn, ...given], []))).toEqual([
      'leader',
      'promoter',
      'keeper',
      'a',
      'c',
      'b',
    ]);
  });

  test('has a given plugin in the place of the built-in with its name', () => {
    const mine = named('leader');
    expect(orderPlugins(builtIn, [mine], [])[0]).toBe(mine);
    expect(orderPlugins(builtIn, [mine], [])).toHaveLength(3);
  });

  test('leaves out what is switched off, by name or all', () => {
    expect(names(orderPlugins(builtIn, [], ['keeper']))).toEqual(['leader', 'promoter']);
    expect(names(orderPlugins(builtIn, [], ['*']))).toEqual([]);
    expect(names(orderPlugins(builtIn, [named('leader')], ['*']))).toEqual(['leader']);
  });
});

describe('refused is', () => {
  test.each([
    ['a name twice', [named('a'), named('a')], [], /plugin 'a' is there twice/],
    [
      'an unknown dependency',
      [named('a', ['keper'])],
      [],
      /'a': dependsOn\[0\] is 'keper', .*did you mean 'keeper'/,
    ],
    [
      'a dependency that is switched off',
      [],
      ['leader'],
      /'keeper': dependsOn\[0\] is 'leader', which is switched off/,
    ],
    ['a circle', [named('a', ['b']), named('b', ['c']), named('c', ['b'])], [], /in a circle: b → c → b/],
    ['switching off what is not there', [], ['pruner'], /no built-in service 'pruner'/],
    ['switching off what is given', [named('keeper')], ['keeper'], /'keeper' is among the plugins too/],
  ] as const)('%s', (_what, given, without, message) => {
    expect(() => orderPlugins(builtIn, given, without)).toThrow(message);
  });

  test('what is no plugin, such as a function that was not called', () => {
    const factory = definePlugin({ name: 'mine' }) as unknown as Plugin;
    expect(() => orderPlugins(builtIn, [factory], [])).toThrow(
      /plugins\[0\] must be a plugin.*call it, not a function/,
    );
  });
});
