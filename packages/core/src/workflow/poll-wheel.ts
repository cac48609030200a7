/**
 * The time-outs of very many waiting things by one timer: they stand in slots of 20 ms, and the timer is set to the
 * first slot that has one. Adding and removing cost the same whatever else waits. What waits long comes due together with
 * others, in slots further apart: it costs a multiple to wake up for one thing.
 */

import type { Clock } from '../domain/clock.ts';

const slotMs = 20;
/** By so much of its time something may come due late, where that is more than a slot. */
const lateShare = 0.01;

/** Something that waits for its time. */
export interface Timed {
  /** Where it stands in the wheel; -1: nowhere. Kept by the wheel. */
  slot: number;
}

export class Wheel<Item extends Timed> {
  private readonly clock: Clock;
  private readonly onDue: (items: ReadonlySet<Item>) => void;
  private readonly slots = new Map<number, Set<Item>>();
  /** The numbers of the slots that exist, in order. */
  private readonly order: number[] = [];
  private armed: { readonly slot: number; readonly takeBack: () => void } | undefined;

  /** @param onDue is told all whose time has come together; they are out of the wheel then */
  constructor(clock: Clock, onDue: (items: ReadonlySet<Item>) => void) {
    this.clock = clock;
    this.onDue = onDue;
  }

  /** It comes due in so long, later by at most 20 ms or a hundredth. An item is in the wheel once. */
  add(item: Item, inMs: number): void {
    const apart = slotsApart(inMs);
    const slot = Math.ceil((this.clock.monotonic() + inMs) / slotMs / apart) * apart;
    let items = this.slots.get(slot);
    if (items === undefined) {
      items = new Set();
      this.slots.set(slot, items);
      this.order.splice(placeOf(this.order, slot), 0, slot);
    }
    items.add(item);
    item.slot = slot;
    if (this.order[0] === slot && this.armed?.slot !== slot) this.arm();
  }

  remove(item: Item): void {
    if (item.slot < 0) return;
    // An empty slot stays until its time: its like is wanted again soon.
    this.slots.get(item.slot)?.delete(item);
    item.slot = -1;
  }

  stop(): void {
    this.armed?.takeBack();
    this.armed = undefined;
    this.slots.clear();
    this.order.length = 0;
  }

  private arm(): void {
    this.armed?.takeBack();
    this.armed = undefined;
    const [slot] = this.order;
    if (slot === undefined) return;
    const inMs = Math.max(slot * slotMs - this.clock.monotonic(), 0);
    this.armed = { slot, takeBack: this.clock.after(inMs, () => this.turn()) };
  }

  private turn(): void {
    this.armed = undefined;
    const now = Math.floor(this.clock.monotonic() / slotMs);
    const count = placeOf(this.order, now + 1);
    for (const slot of this.order.splice(0, count)) {
      const items = this.slots.get(slot) ?? new Set<Item>();
      this.slots.delete(slot);
      for (const item of items) item.slot = -1;
      if (items.size > 0) this.onDue(items);
    }
    this.arm();
  }
}

/** A power of two, so that the slots of those that wait long are also slots of others. */
function slotsApart(inMs: number): number {
  return 1 << (31 - Math.clz32(Math.max((inMs * lateShare) / slotMs, 1)));
}

/** Where a number belongs in an ordered list: before the first that is not less. */
function placeOf(order: readonly number[], wanted: number): number {
  let low = 0;
  let high = order.length;
  // Mostly it is the last.
  if (high > 0 && (order[high - 1] ?? 0) < wanted) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((order[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
