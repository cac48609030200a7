/**
 * What is bounded, and by how much, in every executor. Anything that user code can grow has a number here.
 */

/** Characters of one log line; the rest of the line is dropped. */
export const logLineMaxLength = 8 * 1024;
/** Log lines a second, per attempt and per stream of a child. */
export const logLinesPerSecond = 500;
/**
 * Characters of an output, and of all jobs that an attempt enqueues; `outputMaxBytes` is the worker's to
 * check.
 */
export const outputMaxLength = 16 * 1024 * 1024;
/** Jobs that one attempt may enqueue. */
export const enqueueMaxCount = 10_000;
/** What `stop()` gives running attempts to end by themselves. */
export const stopGraceMs = 500;
/** What a handler has, after its time limit, to end by itself before its thread or child is ended. */
export const limitGraceMs = 100;

/** Lets a bounded number of lines through each second, and counts what it held back. */
export class LineBudget {
  #windowEndsAt = 0;
  #left = 0;
  #dropped = 0;

  /** Whether a line may pass now. */
  take(nowMs: number): boolean {
    if (nowMs >= this.#windowEndsAt) {
      this.#windowEndsAt = nowMs + 1_000;
      this.#left = logLinesPerSecond;
    }
    if (this.#left === 0) {
      this.#dropped += 1;
      return false;
    }
    this.#left -= 1;
    return true;
  }

  /** How many lines were held back since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

/** Cuts a log line to its bound. */
export function clipLine(text: string): string {
  if (text.length <= logLineMaxLength) return text;
  return `${text.slice(0, logLineMaxLength - 1).toWellFormed()}…`;
}

/** A copy of log fields as plain JSON; says so where they cannot be kept. */
export function clipFields(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    const text = JSON.stringify(fields);
    if (text === undefined) return {};
    if (text.length > logLineMaxLength) return { fieldsDropped: `${text.length} characters are too many` };
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return { fieldsDropped: 'they are not JSON' };
  }
}

/** Splits a stream of text into lines of bounded length, a bounded number a second. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #budget = new LineBudget();
  readonly #decoder = new TextDecoder();
  #partial = '';
  #skipping = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Takes the next bytes of the stream. */
  push(chunk: Uint8Array): void {
    const text = this.#decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      this.#finishLine(text.slice(from, at));
      from = at + 1;
    }
    if (from < text.length) this.#keepPartial(text.slice(from));
  }

  /** Hands over an unfinished last line. */
  end(): void {
    if (this.#partial !== '') this.#finishLine('');
    this.#reportDropped();
  }

  #finishLine(rest: string): void {
    const line = this.#skipping ? this.#partial : this.#partial + rest;
    this.#partial = '';
    this.#skipping = false;
    if (!this.#budget.take(performance.now())) return;
    this.#reportDropped();
    if (line.trim() !== '') this.#onLine(clipLine(line.trimEnd()));
  }

  #keepPartial(rest: string): void {
    if (this.#skipping) return;
    this.#partial += rest;
    // One more than the bound, so that the cut shows.
    this.#skipping = this.#partial.length > logLineMaxLength;
    if (this.#skipping) this.#partial = this.#partial.slice(0, logLineMaxLength + 1);
  }

  #reportDropped(): void {
    const dropped = this.#budget.takeDropped();
    if (dropped > 0) this.#onLine(`${dropped} lines dropped: at most ${logLinesPerSecond} a second are kept`);
  }
}
