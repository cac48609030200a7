/**
 * Documents of runs and steps that are too large for their rows: they are kept in the store of blobs, the row has the path and
 * an empty document, and whoever reads it gets the document. Documents never change once they are there, so where one is
 * kept is remembered by its identity in memory: it is written once, however often its row is. A document belongs to one run,
 * and goes with it.
 */

import type { BlobStore } from '../blob/port.ts';
import { LineshaftError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import type { DocumentLimits } from '../domain/workflow/document-size.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import { isObject } from '../domain/workflow/violation.ts';
import type { WrittenStep } from './port.ts';

type DocumentKind = keyof DocumentLimits;

/** Where each kind is kept, as Conductor has it. */
export const payloadFolders = {
  runInput: 'workflow/input',
  runOutput: 'workflow/output',
  stepInput: 'task/input',
  stepOutput: 'task/output',
} as const satisfies Record<DocumentKind, string>;

/** A document that is to be kept apart. */
export interface LargeDocument {
  readonly runId: string;
  readonly kind: DocumentKind;
  readonly document: JsonObject;
  readonly text: string;
}

export interface KeptApartParts {
  /** undefined: nothing is kept apart from now on. */
  readonly blobs: BlobStore | undefined;
  /** Larger ones are kept apart, in bytes. */
  readonly thresholds: DocumentLimits;
  /** Longest that is read, in bytes. */
  readonly maxBytes: number;
  readonly newId: () => string;
  /** Notes in the database what is about to be written. */
  readonly note: (paths: readonly string[], runIds: readonly string[]) => Promise<void>;
  readonly onTrouble: (error: unknown) => void;
}

/** So many are read or written at once. */
const atOnce = 8;

export class KeptApart {
  private readonly parts: KeptApartParts;
  private readonly places = new WeakMap<JsonObject, { readonly runId: string; readonly path: string }>();

  constructor(parts: KeptApartParts) {
    this.parts = parts;
  }

  /** The path of a document of this run that is kept apart already. */
  pathOf(document: JsonObject, runId: string): string | undefined {
    const place = this.places.get(document);
    return place?.runId === runId ? place.path : undefined;
  }

  /** Whether a document is to be kept apart, by its text. */
  isLarge(kind: DocumentKind, text: string): boolean {
    const { blobs, thresholds } = this.parts;
    const most = thresholds[kind];
    // A character has at most three bytes: short texts need not be measured.
    return blobs !== undefined && text.length > most / 3 && Buffer.byteLength(text) > most;
  }

  /** Keeps documents; those that can't be written stay in their rows. */
  async keep(documents: readonly LargeDocument[]): Promise<void> {
    const { blobs, newId, note, onTrouble } = this.parts;
    if (blobs === undefined) return;
    const named = documents.map((each) => ({
      ...each,
      path: `${payloadFolders[each.kind]}/${each.runId}/${newId()}.json`,
    }));
    try {
      await note(
        named.map(({ path }) => path),
        named.map(({ runId }) => runId),
      );
      await eachOf(named, async ({ path, text, document, runId }) => {
        await blobs.put(path, Buffer.from(text));
        this.places.set(document, { runId, path });
      });
    } catch (error) {
      onTrouble(error);
    }
  }

  /** The document under a path. @throws LineshaftError BLOB_UNAVAILABLE, BLOB_NOT_FOUND, BLOB_TOO_LARGE */
  async read(path: string, runId: string): Promise<JsonObject> {
    const document: unknown = JSON.parse(await this.readText(path, runId));
    if (!isObject(document)) throw lost(path, runId);
    this.places.set(document, { runId, path });
    return document;
  }

  /** The same, as JSON. */
  async readText(path: string, runId: string): Promise<string> {
    const { blobs, maxBytes } = this.parts;
    if (blobs === undefined) {
      throw new LineshaftError('BLOB_UNAVAILABLE', {
        message: `run ${runId} has a document under '${path}', and no store is named by LINESHAFT_BLOBS`,
        details: { path, runId },
      });
    }
    const bytes = await blobs.get(path, maxBytes);
    if (bytes === undefined) throw lost(path, runId);
    return new TextDecoder().decode(bytes);
  }

  /** undefined: it can't be had; the reason is told. */
  async tryText(path: string, runId: string): Promise<string | undefined> {
    try {
      return await this.readText(path, runId);
    } catch (error) {
      this.parts.onTrouble(error);
      return undefined;
    }
  }

  /** A run as its row has it, with its documents. */
  async fillRun(run: Run): Promise<Run> {
    const { externalInputPath: inputPath, externalOutputPath: outputPath } = run;
    if (inputPath === undefined && outputPath === undefined) return run;
    const [input, output] = await Promise.all([
      inputPath === undefined ? run.input : this.read(inputPath, run.id),
      outputPath === undefined ? run.output : this.read(outputPath, run.id),
    ]);
    return { ...run, input, output };
  }

  /** Steps of a run as their rows have them, with their documents. */
  async fillSteps(steps: readonly Step[], runId: string): Promise<readonly Step[]> {
    const apart = steps.flatMap((step, at) => (isApart(step) ? [{ step, at }] : []));
    if (apart.length === 0) return steps;
    const filled = [...steps];
    await eachOf(apart, async ({ step, at }) => {
      const { externalInputPath: inputPath, externalOutputPath: outputPath } = step;
      const input = inputPath === undefined ? step.input : await this.read(inputPath, runId);
      const output = outputPath === undefined ? step.output : await this.read(outputPath, runId);
      filled[at] = { ...step, input, output };
    });
    return filled;
  }

  /** Steps of a run whose documents stay text. */
  async fillTexts(steps: readonly WrittenStep[], runId: string): Promise<readonly WrittenStep[]> {
    const apart = steps.flatMap((step, at) => (isApart(step) ? [{ step, at }] : []));
    if (apart.length === 0) return steps;
    const filled = [...steps];
    await eachOf(apart, async ({ step, at }) => {
      const { externalInputPath: inputPath, externalOutputPath: outputPath } = step;
      const inputText = inputPath === undefined ? step.inputText : await this.readText(inputPath, runId);
      const outputText = outputPath === undefined ? step.outputText : await this.readText(outputPath, runId);
      filled[at] = { ...step, inputText, outputText };
    });
    return filled;
  }

  /** A step from memory as it is shown: with the paths of its documents as they are now. */
  shown(step: Step, runId: string): Step {
    if (this.parts.blobs === undefined) return step;
    const { input, output } = step;
    return {
      ...step,
      externalInputPath: this.pathOf(input, runId),
      externalOutputPath: this.pathOf(output, runId),
    };
  }
}

function lost(path: string, runId: string): LineshaftError {
  return new LineshaftError('BLOB_NOT_FOUND', {
    message: `the document of run ${runId} under '${path}' is not there any more`,
    details: { path, runId },
  });
}

/** Whether one of its documents is kept apart. */
export function isApart(step: Pick<Step, 'externalInputPath' | 'externalOutputPath'>): boolean {
  return step.externalInputPath !== undefined || step.externalOutputPath !== undefined;
}

async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const take = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, take));
}
