/** Puts secrets into what workers are handed, and takes them out of what they say went wrong. Nothing else knows their values. */

import type { JsonObject } from '../domain/workflow/definition.ts';
import type { Step } from '../domain/workflow/run.ts';
import { type SecretValues, secretsMark, withoutSecrets, withSecrets } from '../domain/workflow/secrets.ts';

export class HandOver {
  private readonly values: SecretValues;
  /** Whether there are any. */
  readonly hasSecrets: boolean;

  /** @param values by name, those that workflows may use */
  constructor(values: SecretValues) {
    this.values = values;
    this.hasSecrets = Object.keys(values).length > 0;
  }

  /** Whether a text, which has an input in it, may ask for one. */
  concerns(text: string): boolean {
    return this.hasSecrets && text.includes(secretsMark);
  }

  inputOf({ input, definition }: Pick<Step, 'input' | 'definition'>): JsonObject {
    return this.hasSecrets ? withSecrets(input, definition, this.values) : input;
  }

  redact(text: string): string {
    return this.hasSecrets ? withoutSecrets(text, this.values) : text;
  }
}
