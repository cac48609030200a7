/** A worker over HTTP that waits in long polls and reports each step as soon as it has it. */
import type { LeanClient } from './lean-client.ts';

/** The longest that Conductor grants. */
const POLL_MS = 5_000;
const NAME = 'lean';

export class LeanWorker {
  readonly #client: LeanClient;
  readonly #slots: number;
  readonly #loop: Promise<void>;
  readonly #waiting = new Set<{ readonly steps: number; readonly settle: (error?: unknown) => void }>();
  #done = 0;
  #ended = false;
  #failure: unknown;

  /**
   * @param slots more than one: it polls for the next step while it reports one, as SDKs do with several threads; one: it
   * polls when the report was answered
   */
  constructor(client: LeanClient, slots: number) {
    this.#client = client;
    this.#slots = slots;
    this.#loop = this.#work().catch((error: unknown) => this.#fail(error));
  }

  /** Resolves when so many steps are reported, of all that it was given. */
  reached(steps: number, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.settle(new Error(`${this.#done} of ${steps} steps were done when ${timeoutMs} ms were over`));
      }, timeoutMs);
      const waiting = {
        steps,
        settle: (error?: unknown): void => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#waiting.add(waiting);
      if (this.#failure === undefined) this.#tell();
      else waiting.settle(this.#failure);
    });
  }

  /** Its poll is cut. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#client.close();
    await this.#loop;
  }

  async #work(): Promise<void> {
    const reporting = new Set<Promise<void>>();
    while (!this.#ended) {
      while (reporting.size >= this.#slots) await Promise.race(reporting);
      // One at a time: Conductor answers a poll for several when it has them all, or its time is over.
      for (const task of await this.#client.poll(NAME, { count: 1, timeoutMs: POLL_MS })) {
        const reported = this.#client.report(task, NAME).then(
          () => {
            reporting.delete(reported);
            this.#done += 1;
            this.#tell();
          },
          (error: unknown) => this.#fail(error),
        );
        reporting.add(reported);
      }
    }
  }

  #tell(): void {
    for (const waiting of [...this.#waiting]) if (waiting.steps <= this.#done) waiting.settle();
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = error;
    for (const waiting of [...this.#waiting]) waiting.settle(error);
  }
}
