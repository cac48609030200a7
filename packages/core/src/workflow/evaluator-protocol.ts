/** What the evaluator and its threads say to each other. Types only; JSON goes as text, which is cheap to hand over. */

export interface ThreadSettings {
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  readonly resultMaxLength: number;
  /** An Int32Array: the number of the batch whose rest is not wanted any more; at which task of its batch the thread is. */
  readonly shared: SharedArrayBuffer;
}

export interface Task {
  readonly id: number;
  readonly language: 'javascript' | 'jq';
  readonly expression: string;
  readonly body: boolean;
  /** JSON. */
  readonly input: string;
}

export interface Batch {
  readonly number: number;
  readonly tasks: readonly Task[];
}

export type Outcome =
  | {
      readonly id: number;
      readonly ok: true /** JSON, one for each result. */;
      readonly results: readonly string[];
    }
  | { readonly id: number; readonly ok: false; readonly message: string };

export type ThreadMessage = BatchMessage | LoadedMessage;

/** The machine of a language is ready: from now on the time of its scripts counts. */
export interface LoadedMessage {
  readonly loaded: Task['language'];
}

export interface BatchMessage {
  readonly batch: number;
  readonly outcomes: readonly Outcome[];
  /** The batch is over, as far as it was wanted. */
  readonly done: boolean;
  /** The thread can't be trusted any more: what it ran has broken it. */
  readonly broken: boolean;
}

/** Thrown where a language's machine is beyond repair; the evaluation has failed with this message. */
export class BrokenError extends Error {
  override readonly name = 'BrokenError';
}
