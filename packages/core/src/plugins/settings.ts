/** The configuration of the plugins that come with Lineshaft, as a Standard Schema made of our own checks. Pure. */

import { LineshaftError } from '../domain/errors.ts';
import type { StandardSchema, StandardSchemaIssue } from '../domain/standard-schema.ts';
import { didYouMean } from '../domain/suggest.ts';

export interface Setting<Value> {
  readonly byDefault: Value;
  /** Answers the value, or throws as the checks of `domain/fields.ts` do. */
  readonly check: (value: unknown, field: string) => Value;
}

/**
 * A schema of fields that may all be left out.
 *
 * @example
 * config: settings({ intervalMs: { byDefault: 60_000, check: (value, field) => wholeNumber(value, field, 100, 3_600_000) } })
 */
export function settings<Values extends object>(
  fields: {
    readonly [Name in keyof Values]: Setting<Values[Name]>;
  },
): StandardSchema<Partial<Values> | undefined, Values> {
  const known = Object.keys(fields) as (keyof Values & string)[];
  return {
    '~standard': {
      version: 1,
      vendor: 'lineshaft',
      validate(given) {
        if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
          return { issues: [{ message: 'must be an object' }] };
        }
        const values = (given ?? {}) as Readonly<Record<string, unknown>>;
        const issues: StandardSchemaIssue[] = [];
        for (const name of Object.keys(values)) {
          if ((known as string[]).includes(name)) continue;
          issues.push({ path: [name], message: `there is no such option${didYouMean(name, known)}` });
        }
        const checked: Partial<Values> = {};
        for (const name of known) {
          const { byDefault, check } = fields[name];
          try {
            checked[name] = values[name] === undefined ? byDefault : check(values[name], name);
          } catch (error) {
            if (!(error instanceof LineshaftError)) throw error;
            issues.push({ path: [name], message: error.message.replace(`${name} `, '') });
          }
        }
        return issues.length > 0 ? { issues } : { value: checked as Values };
      },
    },
  };
}
