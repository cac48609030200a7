/** Puts together the documents of a run's steps that have values of others, where all of its steps are at hand. Pure. */

import type { JsonObject } from '../domain/workflow/definition.ts';
import { isWhole, ownPart, wholeDocument } from '../domain/workflow/origins.ts';
import type { Run } from '../domain/workflow/run.ts';
import type { WrittenStep } from './port.ts';

/** @param steps all of the run, as they are written */
export function wholeDocuments(run: Run, steps: readonly WrittenStep[]): readonly WrittenStep[] {
  if (steps.every(({ inputText, outputText }) => isWhole(inputText) && isWhole(outputText))) return steps;
  const outputs = new Map(steps.map(({ seq, outputText }) => [seq, outputText]));
  const documents = new Map<number, JsonObject>([[0, run.input]]);
  const values = new Map<string, string>();
  const textAt = (seq: number, name: string): string => {
    const key = `${seq} ${name}`;
    let text = values.get(key);
    if (text !== undefined) return text;
    let document = documents.get(seq);
    if (document === undefined) {
      document = ownPart(outputs.get(seq) ?? '{}');
      documents.set(seq, document);
    }
    text = JSON.stringify(document[name] ?? null);
    values.set(key, text);
    return text;
  };
  return steps.map((step) => ({
    ...step,
    inputText: wholeDocument(step.inputText, textAt),
    outputText: wholeDocument(step.outputText, textAt),
  }));
}
