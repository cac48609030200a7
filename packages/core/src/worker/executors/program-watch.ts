/**
 * Ends the programs of a worker that is killed. A small shell is told which process groups run; it lives as long as the
 * pipe to it, which the system closes with the worker, however that ends. Then it ends what is left.
 *
 * Where there is no `sh` (Windows) there is no watch: programs outlive a worker that is killed.
 */

import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Reads `+ PID` and `- PID`, a line each; at the end of its input kills the groups that are left. In a session of its
 * own and deaf to signals, so that what ends the worker does not end it first.
 */
const script = `trap '' HUP INT TERM
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done`;

export class ProgramWatch {
  #child: ChildProcess | undefined;
  #stopped = false;

  /** Starts the watcher, if it does not run: before the first program does. */
  start(): void {
    if (this.#child !== undefined || this.#stopped || process.platform === 'win32') return;
    const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.#child = child;
    child.unref();
    // A watcher that ends is made anew by the next program; those that run now are not watched any more.
    const gone = (): void => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on('error', gone);
    child.on('exit', gone);
    child.stdin?.on('error', gone);
    (child.stdin as { unref?: () => void } | null)?.unref?.();
  }

  started(group: number): void {
    this.#child?.stdin?.write(`+ ${group}\n`);
  }

  ended(group: number): void {
    this.#child?.stdin?.write(`- ${group}\n`);
  }

  stop(): void {
    this.#stopped = true;
    this.#child?.stdin?.end();
  }
}
