/** Documents that callers of this process give: what they do with their objects later is theirs. */

import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { copyPlain } from '../domain/plain-json.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';

/**
 * A document as it is now, as JSON; undefined and null as they are.
 * @param name of the option, for errors
 * @throws LineshaftError OPTION_INVALID where it is no JSON object
 */
export function ownDocument<Given extends JsonObject | null | undefined>(given: Given, name: string): Given {
  if (given === undefined || given === null) return given;
  const own: unknown = copyPlain(given)?.value ?? throughText(given, name);
  if (typeof own !== 'object' || own === null || Array.isArray(own))
    throw invalidOption(name, own, 'a JSON object');
  return own as Given;
}

function throughText(given: object, name: string): unknown {
  let text: string | undefined;
  try {
    text = JSON.stringify(given);
  } catch {
    throw new LineshaftError('OPTION_INVALID', {
      message: `${name} must be a JSON object; this one cannot be written as JSON`,
      details: { field: name },
    });
  }
  return text === undefined ? undefined : JSON.parse(text);
}
