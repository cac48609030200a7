/** Runs the Python SDK of Conductor as starter and worker of a bench, in a virtual environment of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd } from '../cleanup.ts';
import { benchDirectory, repositoryDirectory } from '../paths.ts';

const program = fileURLToPath(new URL('../systems/conductor_client.py', import.meta.url));
const requirements = join(repositoryDirectory, 'test/clients/python/requirements.txt');
const folder = join(benchDirectory, '.venv-conductor');

/** Seconds from the first start until the last run has ended. */
export async function runPythonClient(url: string, runs: number, input: string): Promise<number> {
  const python = await ready();
  const env = { ...process.env, CONDUCTOR_SERVER_URL: url };
  const output = await run(python, [program, String(runs), input], env);
  const found = /^\{"seconds": ([\d.]+)\}$/m.exec(output)?.[1];
  if (found === undefined) throw new Error(`the Python client said: ${output.slice(-500)}`);
  return Number(found);
}

async function ready(): Promise<string> {
  const python = join(folder, 'bin', 'python');
  const mark = join(folder, 'lib');
  if (!existsSync(mark)) {
    process.stderr.write('set-up: a virtual environment with conductor-python\n');
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--requirement', requirements]);
  }
  return python;
}

async function run(
  command: string,
  parameters: string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const child = spawn(command, parameters, { env, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  const done = atEnd(() => {
    // Its workers are processes of their own.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  await done();
  if (code !== 0) throw new Error(`${command} ${parameters[0]} ended with ${code}`);
  return output;
}
