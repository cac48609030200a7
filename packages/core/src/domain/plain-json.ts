/**
 * Copies of JSON values that cost less than to write them as text and read that: texts in them are shared. Pure.
 */

/** What is deeper, or has more in it, goes by its text. */
const depthMost = 32;
const valuesMost = 2_000;
/** A character has at most six in JSON (`\u0000`), a number or a constant at most 25. */
const charactersMost = 6;
const scalarLength = 25;

/** A copy of what a value is as JSON. */
export interface PlainCopy {
  readonly value: unknown;
  /** Characters that it has at most as JSON. */
  readonly lengthMost: number;
}

/**
 * What reading the text of a value would give; undefined: only the text can tell, or there is none (it says `toJSON`, is no plain
 * object, has a NUL character, is deep or large, throws when it is read).
 */
export function copyPlain(value: unknown): PlainCopy | undefined {
  const copier = new Copier();
  try {
    const copy = copier.copy(value, 0);
    return copier.isPlain && copy !== undefined ? { value: copy, lengthMost: copier.length } : undefined;
  } catch {
    return undefined;
  }
}

class Copier {
  isPlain = true;
  length = 0;
  private left = valuesMost;

  /** undefined: JSON leaves it out. */
  copy(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        if (value.includes('\0')) this.isPlain = false;
        this.length += charactersMost * value.length + 3;
        return value;
      case 'number':
        this.length += scalarLength;
        // There is no -0 in JSON as it is written, nor what is not finite.
        return Number.isFinite(value) ? value + 0 : null;
      case 'boolean':
        this.length += scalarLength;
        return value;
      case 'object':
        this.length += scalarLength;
        return value === null ? null : this.copyObject(value, depth + 1);
      case 'bigint':
        this.isPlain = false;
        return undefined;
      default:
        return undefined;
    }
  }

  private copyObject(value: object, depth: number): unknown {
    this.left -= 1;
    if (depth > depthMost || this.left < 0 || 'toJSON' in value) this.isPlain = false;
    if (!this.isPlain) return undefined;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (Array.isArray(value) && prototype === Array.prototype) return this.copyList(value, depth);
    if (prototype === Object.prototype || prototype === null) return this.copyFields(value, depth);
    this.isPlain = false;
    return undefined;
  }

  private copyList(list: readonly unknown[], depth: number): unknown[] {
    const copy: unknown[] = [];
    this.left -= list.length;
    if (this.left < 0) this.isPlain = false;
    else
      for (const item of list) {
        this.length += scalarLength;
        copy.push(this.copy(item, depth) ?? null);
      }
    return copy;
  }

  private copyFields(fields: object, depth: number): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    for (const name of Object.keys(fields)) {
      this.left -= 1;
      if (this.left < 0 || name === '__proto__' || name.includes('\0')) this.isPlain = false;
      if (!this.isPlain) break;
      const value = this.copy((fields as Record<string, unknown>)[name], depth);
      if (value === undefined) continue;
      this.length += charactersMost * name.length + 4;
      copy[name] = value;
    }
    return copy;
  }
}
