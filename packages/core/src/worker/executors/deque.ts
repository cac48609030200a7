/**
 * A queue with two ends in an array: taking from the front moves an index, and the array is cut now and then.
 */
export class Deque<Item> {
  #items: Item[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  first(): Item | undefined {
    return this.#items[this.#head];
  }

  /** Where it is, counted from the front; −1 if it is not here. */
  indexOf(item: Item): number {
    const at = this.#items.indexOf(item, this.#head);
    return at === -1 ? -1 : at - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1_024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts items before all others, in their order. */
  unshiftAll(items: readonly Item[]): void {
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes the last `count` items off, in their order. */
  takeLast(count: number): Item[] {
    const taken = this.#items.splice(Math.max(this.#head, this.#items.length - count), count);
    if (this.#head === this.#items.length) this.takeAll();
    return taken;
  }

  takeAll(): Item[] {
    const taken = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return taken;
  }
}
