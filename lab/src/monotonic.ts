/**
 * The one clock of the lab: milliseconds of CLOCK_MONOTONIC, which all processes of a machine share, and which
 * neither a jump of a worker's clock nor a change of the time of day moves.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What `work` resolves to, or undefined where it takes longer. Leaves no timer behind. */
export async function within<Result>(ms: number, work: Promise<Result>): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  return await Promise.race([work, over]).finally(() => clearTimeout(timer));
}
