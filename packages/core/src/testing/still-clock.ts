/** Time for tests of what waits. */

/** A clock on which time passes only when it is told to. */
export function stillClock() {
  const timers = new Set<{ atMs: number; callback: () => void }>();
  let nowMs = 0;
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(ms: number, callback: () => void) {
      const timer = { atMs: nowMs + ms, callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    pauses: () => [...timers].map((timer) => timer.atMs - nowMs),
    async pass(ms: number): Promise<void> {
      nowMs += ms;
      for (const timer of [...timers]) {
        if (timer.atMs > nowMs) continue;
        timers.delete(timer);
        timer.callback();
      }
      await settled();
    },
  };
}

/** Lets everything happen that needs no time. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 20; n += 1) await Promise.resolve();
}
