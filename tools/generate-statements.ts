/**
 * Turns the SQL files of the store into TypeScript modules, so that nothing reads files at run time. Part of
 * the build; run it by hand after a change of a SQL file: `node tools/generate-statements.ts`.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface SqlFile {
  readonly file: string;
  readonly content: string;
}

export interface GeneratedStatement {
  readonly key: string;
  readonly name: string;
  readonly text: string;
}

export interface GeneratedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly text: string;
}

const repository = dirname(dirname(fileURLToPath(import.meta.url)));

/** Writes both modules; files whose content stays the same are not touched. */
export function generateStatements(core = join(repository, 'packages/core')): void {
  const statements = parseStatements(readSql(join(core, 'sql/statements')));
  const migrations = parseMigrations(readSql(join(core, 'sql/migrations')));
  const store = join(core, 'src/store');
  mkdirSync(store, { recursive: true });
  writeIfChanged(join(store, 'statements.generated.ts'), renderStatements(statements));
  writeIfChanged(join(store, 'migrations.generated.ts'), renderMigrations(migrations));
}

/** Checks names and contract headers, and takes the headers off. */
export function parseStatements(files: readonly SqlFile[]): GeneratedStatement[] {
  return files.map(({ file, content }) => {
    const name = /^([a-z][a-z0-9]*(?:_[a-z0-9]+)*)\.sql$/.exec(file)?.[1];
    if (name === undefined) throw new Error(`statements/${file}: the name must be lower_case.sql`);
    const lines = content.trim().split('\n');
    const headerEnd = lines.findIndex((line) => !line.startsWith('--'));
    const header = lines.slice(0, Math.max(headerEnd, 0)).join('\n');
    const text = lines.slice(headerEnd).join('\n').trim().replace(/;$/, '');
    if (header === '' || text === '') {
      throw new Error(
        `statements/${file}: the first line must be a comment with the contract (purpose, parameters, ` +
          'rows, locks, index, callers), and the statement must follow it',
      );
    }
    for (const [parameter] of text.matchAll(/\$\d+\b/g)) {
      if (!new RegExp(`\\${parameter}\\b`).test(header)) {
        throw new Error(`statements/${file}: the contract in the first lines does not describe ${parameter}`);
      }
    }
    return { key: name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()), name, text };
  });
}

/** Checks that numbers start at 1 and have neither gaps nor duplicates. */
export function parseMigrations(files: readonly SqlFile[]): GeneratedMigration[] {
  const migrations = files.map(({ file, content }) => {
    const [, number, name] = /^(\d{4})_([a-z][a-z0-9_]*)\.sql$/.exec(file) ?? [];
    if (number === undefined || name === undefined) {
      throw new Error(`migrations/${file}: the name must be NNNN_lower_case.sql`);
    }
    if (!/^--.*(\n--.*)*\n-- Lock cost: /.test(content)) {
      throw new Error(`migrations/${file}: the header comment must have a line "-- Lock cost: ..."`);
    }
    const checksum = createHash('sha256').update(content).digest('hex');
    return { version: Number(number), name, checksum, text: content };
  });
  migrations.sort((a, b) => a.version - b.version);
  for (const [index, { version, name }] of migrations.entries()) {
    const expected = index + 1;
    if (version < expected) throw new Error(`migrations: number ${version} (${name}) is there twice`);
    if (version > expected) throw new Error(`migrations: number ${expected} is missing before ${name}`);
  }
  return migrations;
}

function readSql(folder: string): SqlFile[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => ({ file, content: readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n') }));
}

const generatedBy = '// Generated from packages/core/sql by tools/generate-statements.ts; do not edit.\n';

function renderStatements(statements: readonly GeneratedStatement[]): string {
  const entries = statements.map(
    ({ key, name, text }) => `  ${key}: {\n    name: '${name}',\n    text: ${literal(text)},\n  },\n`,
  );
  return `${generatedBy}export const statements = {\n${entries.join('')}} as const;\n`;
}

function renderMigrations(migrations: readonly GeneratedMigration[]): string {
  const entries = migrations.map(
    ({ version, name, checksum, text }) =>
      `  {\n    version: ${version},\n    name: '${name}',\n    checksum: '${checksum}',\n` +
      `    text: ${literal(text)},\n  },\n`,
  );
  return `${generatedBy}export const migrations = [\n${entries.join('')}] as const;\n`;
}

/** As a template literal, so that line breaks stay readable. */
function literal(text: string): string {
  return `\`${text.replaceAll('\\', '\\\\').replaceAll('`', '\\`').replaceAll('${', '\\${')}\``;
}

function writeIfChanged(path: string, content: string): void {
  let present: string | undefined;
  try {
    present = readFileSync(path, 'utf8');
  } catch {
    present = undefined;
  }
  if (present !== content) writeFileSync(path, content);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    generateStatements();
  } catch (error) {
    process.stderr.write(`generate-statements: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
