/** The version of Python on this machine, for the automatic tag of workers. Asked once per process. */

import { spawnSync } from 'node:child_process';

const timeoutMs = 2_000;
let known: { readonly version: string | undefined } | undefined;

/** As `3.11.2`; undefined where there is no Python. */
export function pythonVersion(): string | undefined {
  known ??= { version: askPython() };
  return known.version;
}

function askPython(): string | undefined {
  const { stdout } = spawnSync('python3', ['--version'], { timeout: timeoutMs, encoding: 'utf8' });
  return /^Python (\S+)/.exec(stdout ?? '')?.[1];
}
