/** Slows down who tries keys: so many wrong ones from an address, then only one a second. In memory, bounded. Pure but for state. */

/** Wrong keys that are free. */
const burst = 10;
/** Then so many a second. */
const perSecond = 1;
const addressesMax = 10_000;

interface Bucket {
  /** Wrong keys that may still come. */
  left: number;
  atMs: number;
}

export class Failures {
  private readonly buckets = new Map<string, Bucket>();

  /** Seconds until a wrong key of this address is looked at again; 0: now. */
  waitSeconds(address: string, nowMs: number): number {
    const bucket = this.refilled(address, nowMs);
    return bucket === undefined || bucket.left >= 1 ? 0 : Math.ceil((1 - bucket.left) / perSecond);
  }

  count(address: string, nowMs: number): void {
    const bucket = this.refilled(address, nowMs) ?? { left: burst, atMs: nowMs };
    bucket.left = Math.max(bucket.left - 1, 0);
    // Moved to the end: the one at the beginning is the one that was wrong longest ago.
    this.buckets.delete(address);
    this.buckets.set(address, bucket);
    const [oldest] = this.buckets.keys();
    if (this.buckets.size > addressesMax && oldest !== undefined) this.buckets.delete(oldest);
  }

  private refilled(address: string, nowMs: number): Bucket | undefined {
    const bucket = this.buckets.get(address);
    if (bucket === undefined) return undefined;
    bucket.left = Math.min(bucket.left + (Math.max(nowMs - bucket.atMs, 0) / 1_000) * perSecond, burst);
    bucket.atMs = nowMs;
    if (bucket.left < burst) return bucket;
    this.buckets.delete(address);
    return undefined;
  }
}
