/**
 * `${workflow.secrets.NAME}`: it stands as it is wherever inputs are kept and shown, and is replaced only in what a worker is
 * handed. Only where the definition of the step itself asks for a secret: what comes in by data is never read as one. Pure.
 */

import type { JsonObject, StepDefinition } from './definition.ts';
import { javaText } from './java-text.ts';
import { readPath } from './json-path.ts';
import { parsePath } from './parse-path.ts';

/** What every such expression has in it. */
export const secretsMark = '${workflow.secrets.';

/** By name; only those that workflows may use. */
export type SecretValues = Readonly<Record<string, string>>;

/** As they may be written: the name, and a path into the value where that is JSON. `$${…}` is a text. */
const expressions = /(?<!\$)\$\{workflow\.secrets\.([A-Za-z_][A-Za-z0-9_]*)([.[][^${}]*)?\}/g;
const pathLooksMost = 10_000;
const textMost = 1_048_576;

/**
 * An input as the worker of its step gets it: with the secrets that the definition of the step names. A text that is one
 * expression becomes what stands there, with its type; in a longer text it becomes text. What is not known stays as it is.
 *
 * @returns the same input where there is nothing to replace
 */
export function withSecrets(input: JsonObject, definition: StepDefinition, values: SecretValues): JsonObject {
  const found = secretsOf(definition, values);
  return found.size === 0 ? input : (replaced(input, found) as JsonObject);
}

/** A text without the values of secrets: `***` stands for each. */
export function withoutSecrets(text: string, values: SecretValues): string {
  let clean = text;
  for (const value of Object.values(values)) if (value !== '') clean = clean.replaceAll(value, '***');
  return clean;
}

/** The expressions that a step asks for in its parameters, as they are written, with what stands there. */
function secretsOf(definition: StepDefinition, values: SecretValues): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const asked = JSON.stringify([
    definition.inputParameters ?? null,
    definition.taskDefinition?.inputTemplate ?? null,
  ]);
  if (!asked.includes(secretsMark)) return found;
  eachText(JSON.parse(asked), (text) => {
    for (const [source, name = '', path = ''] of text.matchAll(expressions)) {
      const value = Object.hasOwn(values, name) ? valueAt(values[name] ?? '', path) : undefined;
      if (value !== undefined) found.set(source, value);
    }
  });
  return found;
}

/** undefined: nothing stands there. */
function valueAt(secret: string, path: string): unknown {
  if (path === '') return secret;
  try {
    const document: unknown = JSON.parse(secret);
    return readPath(parsePath(`secret${path}`), { lookup: () => document }, { left: pathLooksMost });
  } catch {
    // Neither the secret nor what is wrong with it is told to anybody.
    return undefined;
  }
}

function eachText(value: unknown, look: (text: string) => void): void {
  if (typeof value === 'string') look(value);
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) eachText(item, look);
}

function replaced(value: unknown, found: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') return replacedText(value, found);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => replaced(item, found));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaced(item, found)]));
}

function replacedText(text: string, found: ReadonlyMap<string, unknown>): unknown {
  if (!text.includes(secretsMark)) return text;
  if (found.has(text)) return found.get(text);
  return text.replaceAll(expressions, (source: string) =>
    found.has(source) ? javaText(found.get(source), textMost) : source,
  );
}
