/** Puts together the documents of a run's steps that have values of others, where all of its steps are at hand: as texts, or as values. Pure. */

import type { JsonObject } from '../domain/workflow/definition.ts';
import { isParted, isWhole, ownPart, wholeDocument } from '../domain/workflow/origins.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import type { WrittenStep } from './port.ts';

/** As `wholeDocuments`, of steps whose documents are parsed. What several of them have is one value. */
export function wholeValues(run: Run, steps: readonly Step[]): readonly Step[] {
  if (!steps.some(({ input, output }) => isParted(input) || isParted(output))) return steps;
  const sources = new Map<number, JsonObject>([[0, run.input]]);
  for (const { seq, output } of steps) sources.set(seq, isParted(output) ? output[0] : output);
  const whole = (document: JsonObject): JsonObject => {
    if (!isParted(document)) return document;
    const [own, places] = document;
    const values: Record<string, unknown> = { ...own };
    for (const [name, [seq, from]] of Object.entries(places)) {
      values[name] = valueIn(sources.get(seq), from);
    }
    return values;
  };
  return steps.map((step) => ({ ...step, input: whole(step.input), output: whole(step.output) }));
}

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
    text = JSON.stringify(valueIn(document, name));
    values.set(key, text);
    return text;
  };
  return steps.map((step) => ({
    ...step,
    inputText: wholeDocument(step.inputText, textAt),
    outputText: wholeDocument(step.outputText, textAt),
  }));
}

/** Null where it is not there. */
function valueIn(document: JsonObject | undefined, name: string): unknown {
  return document !== undefined && Object.hasOwn(document, name) ? document[name] : null;
}
