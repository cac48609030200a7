/** Ends what the bench started, however the bench ends: newest first, each once. */

type Cleanup = () => Promise<void> | void;

const cleanups = new Set<Cleanup>();
let signalled = false;

/** After a signal nothing new is begun: never resolves then, the process is about to exit. */
export async function unlessSignalled(): Promise<void> {
  if (signalled) await new Promise<never>(() => {});
}

/** Registers `cleanup` and returns a function that runs it now, at most once. */
export function atEnd(cleanup: Cleanup): () => Promise<void> {
  cleanups.add(cleanup);
  return async () => {
    if (cleanups.delete(cleanup)) await cleanup();
  };
}

export async function endAll(): Promise<void> {
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      await cleanup();
    } catch (error) {
      process.stderr.write(`ending something failed: ${String(error)}\n`);
    }
  }
}

export function endOnSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      signalled = true;
      process.stderr.write(`\n${signal}: ending what was started\n`);
      void endAll().finally(() => process.exit(code));
    });
  }
}
