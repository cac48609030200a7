import { describe, expect, expectTypeOf, test } from 'vitest';
import { isLineshaftError, type LineshaftError } from './errors.ts';
import {
  checkPayload,
  defineKinds,
  type KindDefinition,
  type KindName,
  type Kinds,
  type PayloadOf,
  requestDefaults,
  upgradePayload,
} from './kinds.ts';
import type { StandardSchema, StandardSchemaResult } from './standard-schema.ts';

interface Mail {
  to: string;
}

function schemaOf<Output>(
  validate: (value: unknown) => StandardSchemaResult<Output> | Promise<StandardSchemaResult<Output>>,
): StandardSchema<unknown, Output> {
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

const mailSchema = schemaOf<Mail>((value) => {
  const to = (value as Mail | null)?.to;
  if (typeof to === 'string') return { value: { to: to.trim() } };
  return {
    issues: [{ message: 'expected a text', path: ['list', 0, { key: 'to' }] }, { message: 'no mail' }],
  };
});

function refusal(action: () => unknown): LineshaftError {
  try {
    action();
  } catch (error) {
    if (isLineshaftError(error)) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('types', () => {
  type Jobs = { 'send-email': Mail; 'clean-up': { olderThanDays: number } };

  test('kinds and payloads are known to the compiler', () => {
    const kinds = defineKinds<Jobs>();
    expectTypeOf(kinds).toEqualTypeOf<Kinds<Jobs>>();
    expectTypeOf<KindName<Jobs>>().toEqualTypeOf<'send-email' | 'clean-up'>();
    expectTypeOf<PayloadOf<typeof kinds, 'clean-up'>>().toEqualTypeOf<{ olderThanDays: number }>();
    expectTypeOf<PayloadOf<typeof kinds, 'other'>>().toEqualTypeOf<never>();
    expectTypeOf(kinds.definitions['send-email']).toEqualTypeOf<KindDefinition<Mail> | undefined>();
  });

  test('an interface will do as well as a type, and kinds fit where any are expected', () => {
    interface OtherJobs {
      resize: { width: number };
    }
    expectTypeOf(defineKinds<OtherJobs>()).toExtend<Kinds>();
    expectTypeOf(defineKinds<OtherJobs>().definitions).toExtend<
      Readonly<Record<string, KindDefinition | undefined>>
    >();
  });

  test('definitions of other kinds and other payloads are refused by the compiler', () => {
    // @ts-expect-error there is no such kind
    defineKinds<Jobs>({ 'send-mail': {} });
    // @ts-expect-error the upgrade gives another payload
    defineKinds<Jobs>({ 'send-email': { version: 2, upgrade: () => ({ from: 'x' }) } });
    // @ts-expect-error the schema is that of another payload
    defineKinds<Jobs>({ 'clean-up': { schema: mailSchema } });
  });
});

test('definitions are kept by kind, and a name of Object is no kind by itself', () => {
  const kinds = defineKinds<{ a: unknown; b: unknown; c: unknown }>({ a: { queue: 'mail' }, b: undefined });
  expect(Object.keys(kinds.definitions)).toEqual(['a']);
  expect(kinds.definitions.a).toEqual({ queue: 'mail' });
  expect((kinds.definitions as Record<string, unknown>).constructor).toBeUndefined();
});

test.each<[unknown, string]>([
  [{ a: 5 }, "kinds['a'] must be an object, not 5"],
  [{ 'a b': {} }, 'kind must be 1 to 200 letters'],
  [{ a: { version: 0 } }, "kinds['a'].version must be a whole number from 1 to 32767, not 0"],
  [{ a: { version: 2 } }, "kinds['a'].upgrade must be a function, because the version is 2, not undefined"],
  [{ a: { upgrade: {} } }, "kinds['a'].upgrade must be a function (from, payload) => payload, not an object"],
  [{ a: { pin: 'minimum' } }, "kinds['a'].pin must be 'none', 'min' or 'exact', not 'minimum'"],
  [{ a: { executor: 'threads' } }, "not 'threads'; did you mean 'thread'?"],
  [{ a: { queue: '' } }, "kinds['a'].queue must be 1 to 63"],
  [{ a: { limits: { timeoutMs: 0 } } }, "kinds['a'].limits.timeoutMs must be"],
  [{ a: { maxAttempts: 0 } }, "kinds['a'].maxAttempts must be"],
  [{ a: { backoff: {} } }, "kinds['a'].backoff.type must be 'fixed', 'linear' or 'exponential'"],
  [{ a: { schema: { parse: () => 1 } } }, "kinds['a'].schema must be a Standard Schema of version 1"],
  [{ a: { schema: null } }, "kinds['a'].schema must be a Standard Schema of version 1"],
  [{ a: { shema: mailSchema } }, "there is no option 'kinds['a'].shema'; did you mean 'kinds['a'].schema'?"],
  [[], 'kinds must be an object, not an array'],
])('%o is refused: %s', (definitions, message) => {
  expect(refusal(() => defineKinds(definitions as Record<string, never>)).message).toContain(message);
});

describe('checkPayload', () => {
  test('without a definition or a schema, the payload stays what it is', () => {
    const payload = {};
    expect(checkPayload('a', undefined, payload)).toBe(payload);
    expect(checkPayload('a', {}, payload)).toBe(payload);
  });

  test('answers what the schema made of it, at once or later as the schema does', async () => {
    expect(checkPayload('mail', { schema: mailSchema }, { to: ' ada ' })).toEqual({ to: 'ada' });
    const slow = schemaOf(async (value) => ({ value }));
    await expect(checkPayload('mail', { schema: slow }, 5)).resolves.toBe(5);
  });

  test('a schema that is a function is a schema', () => {
    const callable = Object.assign(() => 1, mailSchema);
    const { definitions } = defineKinds<{ mail: Mail }>({ mail: { schema: callable } });
    expect(checkPayload('mail', definitions.mail, { to: 'a' })).toEqual({ to: 'a' });
  });

  test('what does not fit is refused with the kind and the places, and without the payload', () => {
    const error = refusal(() => checkPayload('mail', { schema: mailSchema }, { to: 5, secret: 'hunter2' }));
    expect(error.code).toBe('PAYLOAD_INVALID');
    expect(error.message).toBe(
      "payload of kind 'mail' does not fit its schema: payload.list[0].to: expected a text; payload: no mail",
    );
    expect(error.details.issues).toEqual([
      { path: 'payload.list[0].to', message: 'expected a text' },
      { path: 'payload', message: 'no mail' },
    ]);
    expect(JSON.stringify(error.details)).not.toContain('hunter2');
  });

  test('of many issues ten are named', () => {
    const many = schemaOf<unknown>(() => ({ issues: Array.from({ length: 30 }, () => ({ message: 'x' })) }));
    expect(refusal(() => checkPayload('a', { schema: many }, 1)).message).toMatch(/; and 20 more$/);
  });

  test('a schema that refuses later, or throws, is an invalid payload too', async () => {
    const later = schemaOf<unknown>(async () => ({ issues: [{ message: 'taken' }] }));
    await expect(checkPayload('a', { schema: later }, 1)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
    const cause = new Error('broken');
    const throwing = schemaOf<unknown>(() => {
      throw cause;
    });
    expect(refusal(() => checkPayload('a', { schema: throwing }, 1))).toMatchObject({
      code: 'PAYLOAD_INVALID',
      cause,
    });
    const rejecting = schemaOf<unknown>(() => Promise.reject(cause));
    await expect(checkPayload('a', { schema: rejecting }, 1)).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      cause,
    });
  });
});

describe('upgradePayload', () => {
  const definition: KindDefinition<Mail> = {
    version: 3,
    upgrade: (from, payload) => ({ to: `${from}:${String(payload)}` }),
  };

  test('a payload of the current version is answered as it is', () => {
    const payload = { to: 'a' };
    expect(upgradePayload(definition, 3, payload)).toBe(payload);
    expect(upgradePayload(undefined, 1, payload)).toBe(payload);
  });

  test('an older one is upgraded from the version in which it was sent', () => {
    expect(upgradePayload(definition, 1, 'ada')).toEqual({ to: '1:ada' });
  });

  test('an upgrade that throws fails with its cause', () => {
    const cause = new Error('no such field');
    const upgrade = () => {
      throw cause;
    };
    const error = refusal(() => upgradePayload({ version: 2, upgrade }, 1, {}));
    expect(error).toMatchObject({ code: 'UPGRADE_FAILED', cause, details: { from: 1, version: 2 } });
    expect(error.message).toBe('upgrade of the payload from version 1 to 2 threw: no such field');
  });

  test('an upgrade that throws no error fails too', () => {
    const upgrade = () => {
      throw null;
    };
    expect(refusal(() => upgradePayload({ version: 2, upgrade }, 1, {})).message).toContain('threw: null');
  });

  test('a payload that is newer than the code, and an asynchronous upgrade, fail', () => {
    expect(refusal(() => upgradePayload(definition, 4, {}))).toMatchObject({ code: 'UPGRADE_FAILED' });
    expect(refusal(() => upgradePayload(undefined, 2, {})).message).toBe(
      'the payload has version 2, and this build knows its kind up to version 1',
    );
    const later = async () => 1;
    expect(refusal(() => upgradePayload({ version: 2, upgrade: later }, 1, {})).message).toContain(
      'must answer at once',
    );
  });
});

describe('requestDefaults', () => {
  test('holds what the kind adds to its requests, and nothing for a kind that adds nothing', () => {
    const backoff = { type: 'fixed', delayMs: 5 } as const;
    expect(requestDefaults(undefined, '1.0.0')).toBeUndefined();
    expect(requestDefaults({ version: 1, pin: 'none', executor: 'thread' }, '1.0.0')).toBeUndefined();
    expect(
      requestDefaults({ queue: 'mail', maxAttempts: 2, limits: { timeoutMs: 5 }, backoff }, '1'),
    ).toEqual({
      queue: 'mail',
      maxAttempts: 2,
      limits: { timeoutMs: 5 },
      backoff,
    });
  });

  test('a pinned kind names the build, and a version above 1 is told', () => {
    const definition: KindDefinition = { version: 2, upgrade: (_from, payload) => payload, pin: 'exact' };
    expect(requestDefaults(definition, '1.0.0+abc')).toEqual({
      version: 2,
      pin: 'exact',
      build: '1.0.0+abc',
    });
  });
});
