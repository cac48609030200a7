/**
 * Handlers found in a folder of modules: the path is the kind.
 *
 * | file                                 | kind        |
 * | ------------------------------------ | ----------- |
 * | `tasks/hello.ts`                     | `hello`     |
 * | `tasks/mail/send.ts`                 | `mail/send` |
 * | `tasks/mail/index.ts`                | `mail`      |
 * | `tasks/index.ts`                     | `index`     |
 * | `_…`, `.…`, `*.test.*`, `*.d.ts`, `node_modules` | left out |
 *
 * A module exports its handler as `default` or as `handler`, and may export what `defineKinds` takes for a
 * kind:
 * `schema`, `version`, `upgrade`, `queue`, `executor`, `limits`, `maxAttempts`, `backoff`, `retryRules`, `retry`, `circuit`, `pin`. What does
 * not load is reported, and the others go on.
 */

import { type Dirent, readdirSync, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineKinds, type HandlerModule, type KindDefinition, type Kinds } from '@lineshaft/core';
import { codeFrame } from './code-frame.ts';
import { UsageError } from './usage-error.ts';

/** A module that holds a handler. */
export interface TaskFile {
  readonly kind: string;
  /** Its path. */
  readonly file: string;
}

/** Why the handler of a file is not there. */
export interface TaskProblem {
  readonly file: string;
  readonly message: string;
  /** What was thrown, for its stack. */
  readonly cause: unknown;
  /** For a syntax error: the place, the line, and a mark under it. */
  readonly frame?: string | undefined;
}

export interface Tasks {
  readonly kinds: Kinds;
  readonly handlers: Readonly<Record<string, HandlerModule>>;
  readonly problems: readonly TaskProblem[];
}

const modulePattern = /\.(?:ts|js|mjs)$/;
const leftOut = /^[_.]|\.test\.[a-z]+$|\.d\.ts$|^node_modules$/;
const definitionNames = [
  'schema',
  'version',
  'upgrade',
  'queue',
  'executor',
  'limits',
  'maxAttempts',
  'backoff',
  'retryRules',
  'retry',
  'circuit',
  'pin',
] as const satisfies readonly (keyof KindDefinition)[];

/**
 * The modules in a folder, by kind, without loading them; none where there is no folder. Kinds with two files
 * are problems: which of them was meant is not ours to guess.
 */
export function listTaskFiles(directory: string): { files: TaskFile[]; problems: TaskProblem[] } {
  const found = new Map<string, string[]>();
  for (const file of walk(directory)) {
    const kind = kindOf(relative(directory, file));
    found.set(kind, [...(found.get(kind) ?? []), file]);
  }
  const files: TaskFile[] = [];
  const problems: TaskProblem[] = [];
  for (const [kind, [file = '', ...others]] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (others.length === 0) files.push({ kind, file });
    else {
      const names = [file, ...others].map((name) => relative(directory, name)).join(' and ');
      const message = `the kind '${kind}' has two files, ${names}; remove one, or begin its name with '_'`;
      problems.push({ file, message, cause: undefined });
    }
  }
  return { files, problems };
}

/** Loads all modules of a folder. User code is run: what they do when imported is done. */
export async function loadTasks(directory: string): Promise<Tasks> {
  const { files, problems } = listTaskFiles(directory);
  const loaded = await load(files);
  return { ...loaded, problems: [...problems, ...loaded.problems] };
}

/** Loads the module of one kind, if the folder has it. */
export async function loadTask(directory: string, kind: string): Promise<Tasks> {
  return await load(listTaskFiles(directory).files.filter((file) => file.kind === kind));
}

async function load(files: readonly TaskFile[]): Promise<Tasks> {
  const definitions: Record<string, KindDefinition> = {};
  const handlers: Record<string, HandlerModule> = {};
  const problems: TaskProblem[] = [];
  for (const { kind, file } of files) {
    try {
      const module = pathToFileURL(file).href;
      const exports = (await import(module)) as Record<string, unknown>;
      const definition = definitionOf(exports);
      defineKinds({ [kind]: definition });
      handlers[kind] = { module, export: handlerName(exports) };
      definitions[kind] = definition;
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      problems.push({ file, message, cause, frame: codeFrame(cause, file) });
    }
  }
  return { kinds: defineKinds(definitions), handlers, problems };
}

function handlerName(exports: Record<string, unknown>): 'default' | 'handler' {
  if (typeof exports['default'] === 'function') return 'default';
  if (typeof exports['handler'] === 'function') return 'handler';
  const names = Object.keys(exports);
  throw new UsageError(
    'it must export its handler: export default async function (payload, job) { … }; ' +
      (names.length === 0
        ? 'it exports nothing'
        : `it exports ${names.join(', ')}, of which 'default' is no function`),
  );
}

function definitionOf(exports: Record<string, unknown>): KindDefinition {
  const definition: Record<string, unknown> = {};
  for (const name of definitionNames) if (exports[name] !== undefined) definition[name] = exports[name];
  if (definition['executor'] === 'command') {
    throw new UsageError("its executor must be 'async', 'thread' or 'process': a module is no program");
  }
  return definition as KindDefinition;
}

function kindOf(path: string): string {
  const kind = path.replace(modulePattern, '').split(sep).join('/');
  return kind.endsWith('/index') ? kind.slice(0, -'/index'.length) : kind;
}

function* walk(directory: string): Generator<string> {
  for (const entry of entriesOf(directory)) {
    if (leftOut.test(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (modulePattern.test(entry.name) && isFile(entry, path)) yield path;
  }
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT') return [];
    throw new UsageError(`the tasks folder '${basename(directory)}' can't be read (${code}): ${directory}`, {
      field: '--tasks',
    });
  }
}

/** Links count as what they point to, as in folders that Kubernetes mounts. */
function isFile(entry: Dirent, path: string): boolean {
  if (!entry.isSymbolicLink()) return entry.isFile();
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
