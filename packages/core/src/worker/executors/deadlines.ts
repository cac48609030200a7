/**
 * Time limits of many attempts with one timer. A new limit is a `Map.set`: limits of running attempts mostly
 * end later than the timer that is set already, and attempts mostly end before their limit, so that the timer
 * is touched rarely; when it fires, all entries are looked through.
 */

/** Limits are held to about this many milliseconds. */
const coarseMs = 4;
const longestTimerMs = 2 ** 31 - 1;

export class Deadlines<Item> {
  readonly #onDue: (item: Item) => void;
  readonly #dueAt = new Map<Item, number>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** @param onDue called once per item whose time has come; the item is forgotten before. */
  constructor(onDue: (item: Item) => void) {
    this.#onDue = onDue;
  }

  /** Sets, or moves, the time of an item; `dueAt` is of `performance.now()`. */
  set(item: Item, dueAt: number): void {
    this.#dueAt.set(item, dueAt);
    if (dueAt < this.#wakesAt) this.#wakeAt(dueAt);
  }

  delete(item: Item): void {
    this.#dueAt.delete(item);
  }

  /** Forgets all items and lets go of the timer. */
  clear(): void {
    this.#dueAt.clear();
    clearTimeout(this.#timer);
    this.#wakesAt = Number.POSITIVE_INFINITY;
  }

  #wakeAt(dueAt: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = dueAt;
    const delayMs = Math.max(coarseMs, Math.ceil(dueAt - performance.now()));
    this.#timer = setTimeout(() => this.#sweep(), Math.min(delayMs, longestTimerMs));
    // Whoever runs attempts keeps the process alive; a limit alone is no reason to.
    this.#timer.unref();
  }

  #sweep(): void {
    const now = performance.now();
    const due: Item[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [item, dueAt] of this.#dueAt) {
      if (dueAt <= now) due.push(item);
      else if (dueAt < next) next = dueAt;
    }
    this.#wakesAt = Number.POSITIVE_INFINITY;
    if (next !== Number.POSITIVE_INFINITY) this.#wakeAt(next);
    for (const item of due) {
      // An earlier callback may have moved or deleted it.
      const dueAt = this.#dueAt.get(item);
      if (dueAt === undefined || dueAt > now) continue;
      this.#dueAt.delete(item);
      this.#onDue(item);
    }
  }
}
