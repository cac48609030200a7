/** What is wrong with a document, each thing with its place. Pure. */

import { LineshaftError } from '../errors.ts';
import { javaText } from './java-text.ts';

export interface Violation {
  /** Where: `tasks[2].decisionCases[yes][0].name`; empty for the document itself. */
  readonly path: string;
  readonly message: string;
  /** What stands there, as text, at most 200 characters. */
  readonly invalidValue: string;
}

const mostViolations = 100;
const mostCharacters = 200;

/** Collects violations, at most 100. */
export class Violations {
  readonly list: Violation[] = [];

  add(path: string, message: string, value: unknown): void {
    if (this.list.length >= mostViolations) return;
    this.list.push({ path, message, invalidValue: javaText(value ?? null, mostCharacters) });
  }
}

/** @throws DEFINITION_INVALID with `details.violations`, if there are any */
export function refuseViolations(what: string, violations: readonly Violation[]): void {
  const [first] = violations;
  if (first === undefined) return;
  const place = first.path === '' ? '' : `${first.path}: `;
  const more = violations.length === 1 ? '' : ` (and ${violations.length - 1} more)`;
  throw new LineshaftError('DEFINITION_INVALID', {
    message: `${what} can't be used: ${place}${first.message}${more}`,
    details: { violations },
  });
}

/** What a field may hold. null is as good as absent. */
export type FieldType =
  | 'text'
  | 'whole'
  | 'number'
  | 'boolean'
  | 'object'
  | 'list'
  | 'texts'
  | readonly string[];

/** Checks that fields are of their types; those that have no type here may be anything. */
export function checkFields(
  violations: Violations,
  path: string,
  fields: Readonly<Record<string, unknown>>,
  types: Readonly<Record<string, FieldType>>,
): void {
  for (const [name, type] of Object.entries(types)) {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined || value === null || isOfType(value, type)) continue;
    violations.add(at(path, name), `${name} must be ${typeName(type)}`, value);
  }
}

/** A place inside of a place. */
export function at(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOfType(value: unknown, type: FieldType): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string';
    case 'whole':
      return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2_147_483_647;
    case 'number':
      return typeof value === 'number' && Number.isSafeInteger(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'object':
      return isObject(value);
    case 'list':
      return Array.isArray(value);
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    default:
      return typeof value === 'string' && type.includes(value);
  }
}

function typeName(type: FieldType): string {
  if (typeof type !== 'string') return `one of ${type.join(', ')}`;
  return {
    text: 'a text',
    whole: 'a whole number',
    number: 'a whole number',
    boolean: 'true or false',
    object: 'an object',
    list: 'a list',
    texts: 'a list of texts',
  }[type];
}
