/** What every job of every system carries: about 120 bytes of JSON, the same for all. */

export interface Payload {
  /** The number of the job in its run. */
  readonly n: number;
  /** When it was sent, in milliseconds of the machine's monotonic clock; 0 where nobody asks. */
  readonly at: number;
  readonly to: string;
  readonly template: string;
  readonly note: string;
}

export function payload(n: number, at = 0): Payload {
  return {
    n,
    at,
    to: `customer-${n}@example.org`,
    template: 'order-shipped',
    note: `parcel ${n} left the depot`,
  };
}

export function payloads(from: number, count: number): Payload[] {
  return Array.from({ length: count }, (_, index) => payload(from + index));
}

/** One clock for all processes of this machine, in milliseconds. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
