/** Runs the Python SDK of Conductor as starter and worker of a bench, in a virtual environment of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { atEnd } from '../cleanup.ts';
import { treeCpuSeconds } from '../cpu.ts';
import { repositoryDirectory } from '../paths.ts';

const program = fileURLToPath(new URL('../systems/conductor_client.py', import.meta.url));
const installer = join(repositoryDirectory, 'tools/reference/python.ts');
const requirements = join(repositoryDirectory, 'test/clients/python/requirements.txt');
const keptCharacters = 2_000;
/** Its workers are stopped one by one; then what is left of it is killed. */
const endTimeoutMs = 5_000;

export interface PythonClient {
  /** Begins to start runs, and resolves when all are started. */
  start(): Promise<{ readonly startedAt: number; readonly ids: readonly string[] }>;
  /** Of the program and its workers. */
  cpuSeconds(): number;
  end(): Promise<void>;
}

/** A client that is warm, with workers that poll, and will start so many runs. */
export async function openPythonClient(url: string, runs: number, input: string): Promise<PythonClient> {
  const { stdout } = await promisify(execFile)(process.execPath, [installer, 'python', requirements]);
  const python = stdout.trim();
  const env = { ...process.env, CONDUCTOR_SERVER_URL: url, CONDUCTOR_LOG_LEVEL: 'WARNING' };
  const child = spawn(python, [program, String(runs), input], { env, stdio: 'pipe', detached: true });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-keptCharacters);
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const heard = async <What>(): Promise<What> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`the Python client ended: ${words}`);
    return JSON.parse(value) as What;
  };
  const end = atEnd(() => stop(child));
  try {
    await heard<{ ready: true }>();
  } catch (error) {
    await end();
    throw error;
  }
  return {
    start: () => {
      child.stdin.write('go\n');
      return heard();
    },
    cpuSeconds: () => treeCpuSeconds(child.pid ?? 0),
    end,
  };
}

/** Its workers and what collects their logs are processes of their own, and of its group. */
async function stop(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  const exited = child.exitCode === null ? once(child, 'exit') : undefined;
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), endTimeoutMs);
  await exited;
  clearTimeout(timer);
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // None of them is left.
  }
}
