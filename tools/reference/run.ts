/** Runs the programs that set-ups are made of. */
import { spawn, spawnSync } from 'node:child_process';

const longestMs = 600_000;
const keptCharacters = 4_000;

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs a program to its end, in ten minutes at most.
 *
 * @returns what it printed on standard output
 * @throws Error with its last words, where it ended with anything but 0
 */
export async function run(
  program: string,
  parameters: readonly string[],
  { cwd, env }: RunOptions = {},
): Promise<string> {
  const child = spawn(program, parameters, {
    cwd,
    env: env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longestMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let words = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    words = (words + text).slice(-keptCharacters);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-keptCharacters);
  });
  const end = await new Promise<string | number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
  if (end === 0) return output;
  throw new Error(`${program} ${parameters.join(' ')} ended with ${end}:\n${words.trim()}`);
}

/** Whether a program is there, and says so when it is asked with these parameters. */
export function succeeds(program: string, ...parameters: readonly string[]): boolean {
  return spawnSync(program, parameters, { stdio: 'ignore', timeout: 60_000 }).status === 0;
}
