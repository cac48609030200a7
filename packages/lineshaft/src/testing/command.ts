/** Runs the command `lineshaft` as a real process, for tests. Not part of the product. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
);

export interface CommandOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input. */
  readonly input?: string;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. What it wrote is there at once, and can be waited for. */
export class RunningCommand {
  readonly ended: Promise<CommandResult>;
  stdout = '';
  stderr = '';
  private readonly child: ChildProcess;
  private readonly watchers = new Set<() => void>();

  constructor(args: readonly string[], options: CommandOptions) {
    const {
      LINESHAFT_DATABASE_URL: _url,
      LINESHAFT_SCHEMA: _schema,
      NODE_OPTIONS: _options,
      ...env
    } = process.env;
    this.child = spawn(process.execPath, [main, ...args], {
      cwd: options.cwd,
      env: { ...env, NO_COLOR: '1', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stdin?.end(options.input ?? '');
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        for (const watcher of this.watchers) watcher();
      });
    }
    this.ended = once(this.child, 'close').then(([code]: unknown[]) => ({
      code: typeof code === 'number' ? code : -1,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** Resolves when the pattern stands in what was written; fails when the process ends without it. */
  async says(pattern: RegExp): Promise<string> {
    const look = (): string | undefined => pattern.exec(this.stdout)?.[0] ?? pattern.exec(this.stderr)?.[0];
    let watcher = (): void => undefined;
    const said = new Promise<string>((resolve) => {
      watcher = () => {
        const found = look();
        if (found !== undefined) resolve(found);
      };
      this.watchers.add(watcher);
      watcher();
    });
    const silent = this.ended.then(({ code }): never => {
      throw new Error(`ended with ${code} and never said ${pattern}:\n${this.stdout}\n${this.stderr}`);
    });
    silent.catch(() => undefined);
    try {
      return await Promise.race([said, silent]);
    } finally {
      this.watchers.delete(watcher);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Runs a command to its end. */
export async function runLineshaft(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return await new RunningCommand(args, options).ended;
}

/** A new folder with these files, by path. */
export function folderWith(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'line shaft '));
  writeFiles(folder, files);
  return folder;
}

export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
