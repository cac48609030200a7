/** Programs that end with whoever started them, however that happens. */
import { type ChildProcess, spawn } from 'node:child_process';

/** Shells give a background job no standard input, so what tells the end is another descriptor. */
const script =
  '"$@" 3<&- & program=$!; { cat <&3; kill -9 $program; } >/dev/null 2>&1 & ' +
  'wait $program; code=$?; kill $! 2>/dev/null; exit $code';

interface GuardedOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts a program with pipes for what it prints. It is killed when this process ends, also by SIGKILL, or when
 * `release` is called.
 */
export function spawnGuarded(
  program: string,
  parameters: readonly string[],
  { cwd, env }: GuardedOptions = {},
): ChildProcess {
  const guarded = spawn('/bin/sh', ['-c', script, 'guard', program, ...parameters], {
    cwd,
    env: env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  // What listens to us has nothing to wait for any more.
  guarded.once('exit', () => release(guarded));
  return guarded;
}

/** Kills a guarded program; it has ended when its process has. */
export function release(guarded: ChildProcess): void {
  const [, , , alive] = guarded.stdio;
  alive?.destroy();
}
