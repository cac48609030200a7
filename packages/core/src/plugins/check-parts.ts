/** Checks what a plugin is made of when it is defined, and its configuration when it is made. Pure. */

import { invalidOption, isLineshaftError, LineshaftError } from '../domain/errors.ts';
import { fieldsOf, refuseUnknown, wholeNumber } from '../domain/fields.ts';
import type { StandardSchema, StandardSchemaIssue } from '../domain/standard-schema.ts';
import type { Plugin, PluginHooks, PluginParts } from '../plugin.ts';

const partNames = [
  'name',
  'dependsOn',
  'config',
  'migrations',
  'service',
  'hooks',
  'middleware',
  'timeoutMs',
] as const satisfies readonly (keyof PluginParts)[];

export const hookNames = [
  'enqueue',
  'attemptStart',
  'attemptEnd',
  'finished',
  'workerStart',
  'workerStop',
] as const satisfies readonly (keyof PluginHooks)[];

/** Parts that are not there yet, and what brings them. */
const reserved: Readonly<Record<string, string>> = {
  routes: 'the server (milestone M4)',
  pages: 'the dashboard (milestone M5)',
};

const namePattern = /^[a-z][a-z0-9-]{0,49}$/;

/** A plugin without its configuration. */
export function checkParts(parts: unknown): (config: unknown) => Plugin {
  const fields = fieldsOf(parts, 'plugin');
  const name = checkName(fields['name']);
  const prefix = `plugin '${name}': `;
  for (const part of Object.keys(fields)) {
    if (reserved[part] === undefined) continue;
    throw new LineshaftError('OPTION_INVALID', {
      message: `${prefix}${part} are reserved and come with ${reserved[part]}; remove them until then`,
      details: { plugin: name, field: part },
    });
  }
  refuseUnknown(fields, partNames, prefix);
  const schema = checkSchema(fields['config'], prefix);
  const checked = {
    name,
    dependsOn: checkDependencies(fields['dependsOn'], prefix),
    migrations: checkMigrations(fields['migrations'], prefix),
    service: checkFunction(fields['service'], `${prefix}service`) as Plugin['service'],
    hooks: checkHooks(fields['hooks'], prefix),
    middleware: checkFunction(fields['middleware'], `${prefix}middleware`) as Plugin['middleware'],
    timeoutMs: wholeNumber(fields['timeoutMs'] ?? 5_000, `${prefix}timeoutMs`, 10, 60_000),
  };
  return (config) => ({ ...checked, config: checkConfig(config, schema, name) });
}

function checkName(value: unknown): string {
  if (typeof value === 'string' && namePattern.test(value)) return value;
  throw invalidOption(
    'name of a plugin',
    value,
    '1 to 50 lower-case letters, digits or -, starting with a letter',
  );
}

function checkDependencies(value: unknown, prefix: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidOption(`${prefix}dependsOn`, value, 'a list of names of plugins');
  return value.map((name: unknown, place) => {
    if (typeof name === 'string' && namePattern.test(name)) return name;
    throw invalidOption(`${prefix}dependsOn[${place}]`, name, 'the name of a plugin');
  });
}

function checkMigrations(value: unknown, prefix: string): URL | undefined {
  if (value === undefined) return undefined;
  if (value instanceof URL && value.protocol === 'file:' && value.pathname.endsWith('/')) return value;
  throw invalidOption(
    `${prefix}migrations`,
    value instanceof URL ? value.href : value,
    "the URL of a folder, such as new URL('./migrations/', import.meta.url)",
  );
}

function checkHooks(value: unknown, prefix: string): PluginHooks<unknown> {
  if (value === undefined) return {};
  const hooks = fieldsOf(value, `${prefix}hooks`);
  refuseUnknown(hooks, hookNames, `${prefix}hooks.`);
  for (const name of hookNames) checkFunction(hooks[name], `${prefix}hooks.${name}`);
  return hooks as PluginHooks<unknown>;
}

function checkFunction(value: unknown, field: string): unknown {
  if (value === undefined || typeof value === 'function') return value;
  throw invalidOption(field, value, 'a function');
}

function checkSchema(value: unknown, prefix: string): StandardSchema | undefined {
  if (value === undefined) return undefined;
  const standard = (value as { '~standard'?: { version?: unknown; validate?: unknown } } | null)?.[
    '~standard'
  ];
  if (standard?.version === 1 && typeof standard.validate === 'function') return value as StandardSchema;
  throw invalidOption(
    `${prefix}config`,
    value,
    'a Standard Schema of version 1, as zod 3.24, valibot 1 and arktype 2 make them',
  );
}

/** What the schema answers for a configuration; a schema of an object also for none at all. */
function checkConfig(config: unknown, schema: StandardSchema | undefined, plugin: string): unknown {
  if (schema === undefined) {
    if (config === undefined) return undefined;
    throw new LineshaftError('OPTION_INVALID', {
      message: `plugin '${plugin}' takes no configuration`,
      details: { plugin },
    });
  }
  const first = validate(schema, config, plugin);
  if (first.issues === undefined) return first.value;
  const second = config === undefined ? validate(schema, {}, plugin) : first;
  if (second.issues === undefined) return second.value;
  const list = second.issues.slice(0, 10).map((issue) => `${pathOf(issue)} ${issue.message}`);
  throw new LineshaftError('OPTION_INVALID', {
    message: `the configuration of plugin '${plugin}' is wrong: ${list.join('; ')}`,
    details: { plugin, issues: second.issues.slice(0, 10).map(pathOf) },
  });
}

function validate(schema: StandardSchema, config: unknown, plugin: string) {
  let result: ReturnType<StandardSchema['~standard']['validate']>;
  try {
    result = schema['~standard'].validate(config);
  } catch (cause) {
    if (isLineshaftError(cause)) throw cause;
    throw new LineshaftError('OPTION_INVALID', {
      message: `the schema of the configuration of plugin '${plugin}' threw instead of answering`,
      details: { plugin },
      cause,
    });
  }
  if (!(result instanceof Promise)) return result;
  result.catch(() => undefined);
  throw new LineshaftError('OPTION_INVALID', {
    message: `the schema of the configuration of plugin '${plugin}' must answer at once, not with a promise`,
    details: { plugin },
  });
}

function pathOf(issue: StandardSchemaIssue): string {
  const steps = (issue.path ?? []).map((step) => (typeof step === 'object' ? step.key : step));
  return `config${steps.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')}:`;
}
