import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { wholeNumber } from '../domain/fields.ts';
import { definePlugin, type PluginParts } from '../plugin.ts';
import { settings } from './settings.ts';

/** Defines something that TypeScript would not let pass. */
const define = (parts: object): unknown => definePlugin(parts as PluginParts);

describe('a definition is refused', () => {
  test.each([
    ['without a name', {}, /name of a plugin must be/],
    ['with a wrong name', { name: 'My Plugin' }, /name of a plugin must be .* not 'My Plugin'/],
    ['with an unknown part', { name: 'mine', hook: {} }, /'plugin 'mine': hook'; did you mean .*hooks/],
    ['with an unknown hook', { name: 'mine', hooks: { finish() {} } }, /did you mean .*hooks\.finished/],
    [
      'with a hook that is no function',
      { name: 'mine', hooks: { finished: 1 } },
      /hooks\.finished must be a function/,
    ],
    [
      'with a dependency that is no name',
      { name: 'mine', dependsOn: ['leader', 7] },
      /dependsOn\[1\] must be/,
    ],
    ['with a schema that is none', { name: 'mine', config: {} }, /config must be a Standard Schema/],
    [
      'with migrations that are no folder',
      { name: 'mine', migrations: './sql' },
      /migrations must be the URL/,
    ],
    [
      'with a time-out out of range',
      { name: 'mine', timeoutMs: 1 },
      /timeoutMs must be a whole number from 10/,
    ],
    [
      'with routes',
      { name: 'mine', routes: [] },
      /routes are reserved and come with the server \(milestone M4\)/,
    ],
    [
      'with pages',
      { name: 'mine', pages: [] },
      /pages are reserved and come with the dashboard \(milestone M5\)/,
    ],
  ])('%s', (_what, parts, message) => {
    expect(() => define(parts)).toThrow(message);
  });
});

describe('a configuration', () => {
  const mailer = definePlugin({
    name: 'mailer',
    config: z.object({ to: z.email(), rules: z.array(z.object({ days: z.number() })).default([]) }),
  });

  test('is what its schema makes of it', () => {
    expect(mailer({ to: 'ada@example.org' }).config).toEqual({ to: 'ada@example.org', rules: [] });
  });

  test('is refused with the place in it', () => {
    const rules = [{ days: 1 }, { days: 'two' }] as unknown as { days: number }[];
    expect(() => mailer({ to: 'ada@example.org', rules })).toThrow(
      /configuration of plugin 'mailer' is wrong: config\.rules\[1\]\.days: /,
    );
  });

  test('may be left out where everything in it may', () => {
    const plugin = definePlugin({ name: 'p', config: z.object({ everyMs: z.number().default(5) }) });
    expect(plugin().config).toEqual({ everyMs: 5 });
  });

  test('is refused where the plugin takes none, and where its schema answers with a promise', () => {
    const none = definePlugin({ name: 'none' }) as (config?: unknown) => unknown;
    expect(() => none({ a: 1 })).toThrow(/plugin 'none' takes no configuration/);
    const late = definePlugin({ name: 'late', config: z.object({}).refine(async () => true) });
    expect(() => late({})).toThrow(/must answer at once|threw instead of answering/);
  });

  test('of our own services is checked field by field', () => {
    const schema = settings({
      everyMs: { byDefault: 60, check: (value: unknown, field: string) => wholeNumber(value, field, 1, 99) },
    });
    const service = definePlugin({ name: 'service', config: schema });
    expect(service().config).toEqual({ everyMs: 60 });
    expect(service({ everyMs: 5 }).config).toEqual({ everyMs: 5 });
    expect(() => service({ everyMs: 100 })).toThrow(
      'config.everyMs: must be a whole number from 1 to 99, not 100',
    );
    expect(() => service({ everyMS: 5 } as object)).toThrow(/config\.everyMS: .*did you mean 'everyMs'/);
  });
});
