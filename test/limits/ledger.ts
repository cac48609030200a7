/** How much runs at once, as the handlers themselves count it: apart from what the queue says. */
export class Ledger {
  private readonly now = new Map<string, number>();
  private readonly peaks = new Map<string, number>();

  async during<Result>(
    keys: readonly string[],
    cost: number,
    work: () => Result | Promise<Result>,
  ): Promise<Result> {
    for (const key of keys) this.add(key, cost);
    try {
      return await work();
    } finally {
      for (const key of keys) this.add(key, -cost);
    }
  }

  /** The most that ran at once. */
  most(key: string): number {
    return this.peaks.get(key) ?? 0;
  }

  private add(key: string, amount: number): void {
    const sum = (this.now.get(key) ?? 0) + amount;
    this.now.set(key, sum);
    this.peaks.set(key, Math.max(this.peaks.get(key) ?? 0, sum));
  }
}
