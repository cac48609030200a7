/**
 * A map and a set for one or two entries, as most of those have that are made for each step of each run: two entries stand in
 * the object itself, and tables are made for the third. An empty `Map` has 180 bytes, and a `Set` whose one entry goes and
 * comes makes its table anew each time; here it is 72, and nothing. In the order in which entries came, as theirs.
 */

export class SmallMap<Key, Value> implements Iterable<readonly [Key, Value]> {
  private table: Map<Key, Value> | undefined;
  private count = 0;
  private firstKey: Key | undefined;
  private firstValue: Value | undefined;
  private secondKey: Key | undefined;
  private secondValue: Value | undefined;

  get size(): number {
    return this.table === undefined ? this.count : this.table.size;
  }

  get(key: Key): Value | undefined {
    if (this.table !== undefined) return this.table.get(key);
    if (this.count > 0 && this.firstKey === key) return this.firstValue;
    return this.count > 1 && this.secondKey === key ? this.secondValue : undefined;
  }

  has(key: Key): boolean {
    if (this.table !== undefined) return this.table.has(key);
    return (this.count > 0 && this.firstKey === key) || (this.count > 1 && this.secondKey === key);
  }

  set(key: Key, value: Value): void {
    if (this.table !== undefined) this.table.set(key, value);
    else if (this.count > 0 && this.firstKey === key) this.firstValue = value;
    else if (this.count > 1 && this.secondKey === key) this.secondValue = value;
    else if (this.count === 0) {
      this.firstKey = key;
      this.firstValue = value;
      this.count = 1;
    } else if (this.count === 1) {
      this.secondKey = key;
      this.secondValue = value;
      this.count = 2;
    } else {
      this.table = new Map(this);
      this.table.set(key, value);
      this.forget();
    }
  }

  /** @returns whether it was there */
  delete(key: Key): boolean {
    if (this.table !== undefined) return this.table.delete(key);
    if (this.count > 1 && this.secondKey === key) {
      this.secondKey = undefined;
      this.secondValue = undefined;
      this.count = 1;
      return true;
    }
    if (this.count === 0 || this.firstKey !== key) return false;
    this.firstKey = this.secondKey;
    this.firstValue = this.secondValue;
    this.secondKey = undefined;
    this.secondValue = undefined;
    this.count -= 1;
    return true;
  }

  /** As they are now. */
  keys(): Iterable<Key> {
    if (this.table !== undefined) return this.table.keys();
    if (this.count === 0) return nothing;
    return this.count === 1 ? [this.firstKey as Key] : [this.firstKey as Key, this.secondKey as Key];
  }

  /** As they are now. */
  values(): Iterable<Value> {
    if (this.table !== undefined) return this.table.values();
    if (this.count === 0) return nothing;
    return this.count === 1
      ? [this.firstValue as Value]
      : [this.firstValue as Value, this.secondValue as Value];
  }

  [Symbol.iterator](): Iterator<readonly [Key, Value]> {
    return this.entries()[Symbol.iterator]();
  }

  private entries(): Iterable<readonly [Key, Value]> {
    if (this.table !== undefined) return this.table;
    const entries: (readonly [Key, Value])[] = [];
    if (this.count > 0) entries.push([this.firstKey as Key, this.firstValue as Value]);
    if (this.count > 1) entries.push([this.secondKey as Key, this.secondValue as Value]);
    return entries;
  }

  /** What stands in the table now. */
  private forget(): void {
    this.count = 0;
    this.firstKey = undefined;
    this.firstValue = undefined;
    this.secondKey = undefined;
    this.secondValue = undefined;
  }
}

export class SmallSet<Value> implements Iterable<Value> {
  private table: Set<Value> | undefined;
  private count = 0;
  private first: Value | undefined;
  private second: Value | undefined;

  get size(): number {
    return this.table === undefined ? this.count : this.table.size;
  }

  has(value: Value): boolean {
    if (this.table !== undefined) return this.table.has(value);
    return (this.count > 0 && this.first === value) || (this.count > 1 && this.second === value);
  }

  add(value: Value): void {
    if (this.table !== undefined) this.table.add(value);
    else if (this.has(value)) return;
    else if (this.count === 0) {
      this.first = value;
      this.count = 1;
    } else if (this.count === 1) {
      this.second = value;
      this.count = 2;
    } else {
      this.table = new Set(this);
      this.table.add(value);
      this.count = 0;
      this.first = undefined;
      this.second = undefined;
    }
  }

  /** @returns whether it was there */
  delete(value: Value): boolean {
    if (this.table !== undefined) return this.table.delete(value);
    if (this.count > 1 && this.second === value) {
      this.second = undefined;
      this.count = 1;
      return true;
    }
    if (this.count === 0 || this.first !== value) return false;
    this.first = this.second;
    this.second = undefined;
    this.count -= 1;
    return true;
  }

  /** In the order in which they came, as they are now. */
  [Symbol.iterator](): Iterator<Value> {
    return this.values()[Symbol.iterator]();
  }

  private values(): Iterable<Value> {
    if (this.table !== undefined) return this.table;
    if (this.count === 0) return nothing;
    return this.count === 1 ? [this.first as Value] : [this.first as Value, this.second as Value];
  }
}

/** One list after the other; nothing is made where one of them is empty. */
export function both<Item>(list: readonly Item[], more: readonly Item[]): readonly Item[] {
  if (more.length === 0) return list;
  return list.length === 0 ? more : [...list, ...more];
}

const nothing: readonly never[] = [];
