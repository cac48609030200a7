/** The real clients that programs of ours use, and how each is set up: once, in the cache of what tests fetch. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from '../../tools/debian.ts';
import { cached } from '../../tools/reference/cache.ts';
import { digest } from '../../tools/reference/digest.ts';
import { findJava } from '../../tools/reference/java.ts';
import { dependencyPlugin } from '../../tools/reference/pins.ts';
import { pythonWith } from '../../tools/reference/python.ts';
import { run, succeeds } from '../../tools/reference/run.ts';

export interface Program {
  readonly program: string;
  readonly parameters: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Client {
  readonly name: string;
  /** Speaks the Swift edition. */
  readonly swift?: boolean;
  /** Installs what the program needs, where it is missing: the first time this takes a minute or two. */
  setUp(): Promise<Program>;
}

const here = fileURLToPath(new URL('.', import.meta.url));

export const clients: readonly Client[] = [
  { name: 'python', setUp: () => setUpPython('python') },
  { name: 'swift-python', swift: true, setUp: () => setUpPython('swift-python') },
  { name: 'javascript', setUp: setUpJavaScript },
  { name: 'go', setUp: setUpGo },
  { name: 'java', setUp: setUpJava },
];

async function setUpPython(name: string): Promise<Program> {
  const python = await pythonWith(name, join(here, name, 'requirements.txt'));
  return {
    program: python,
    parameters: [join(here, name, 'program.py')],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  };
}

async function setUpJavaScript(): Promise<Program> {
  const from = join(here, 'javascript');
  const folder = await cached(`javascript-${digest(join(from, 'package-lock.json'))}`, async (target) => {
    process.stderr.write('set-up: installing the client javascript (once)\n');
    for (const file of ['package.json', 'package-lock.json', '.npmrc'])
      copyFileSync(join(from, file), join(target, file));
    await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: target,
    });
  });
  // Packages are looked for from where a program is.
  const program = join(folder, 'program.mjs');
  copyFileSync(join(from, 'program.mjs'), program);
  return { program: process.execPath, parameters: [program] };
}

/** As `go.mod` demands. */
const oldestGo = 19;

async function setUpGo(): Promise<Program> {
  // Go knows nobody whom it could trust without the certificates, which apt only suggests.
  if (goVersion() < oldestGo) installDebianPackages(['golang-go', 'ca-certificates']);
  if (goVersion() < oldestGo)
    throw new Error(`the client go needs Go 1.${oldestGo} or newer in PATH; install it and try again`);
  const from = join(here, 'go');
  const versions = ['go.mod', 'go.sum', 'program.go'].map((file) => digest(join(from, file)));
  const folder = await cached(`go-${versions.join('-')}`, async (target) => {
    process.stderr.write('set-up: building the client go (once)\n');
    // Without a compiler of C, by the Go that is here, and whatever git says of this folder.
    const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local' };
    await run('go', ['build', '-buildvcs=false', '-o', join(target, 'program'), '.'], { cwd: from, env });
  });
  return { program: join(folder, 'program'), parameters: [] };
}

/** 26 of Go 1.26; 0 where there is none. */
function goVersion(): number {
  const { stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8', timeout: 60_000 });
  return Number(/^go1\.(\d+)/.exec(stdout ?? '')?.[1] ?? 0);
}

async function setUpJava(): Promise<Program> {
  const java = await findJava();
  const from = join(here, 'java');
  const libraries = await cached(`java-client-${digest(join(from, 'pom.xml'))}`, async (target) => {
    process.stderr.write('set-up: installing the client java (once)\n');
    if (!succeeds('mvn', '--version')) installDebianPackages(['maven']);
    const where = [`-DoutputDirectory=${target}`, '--file', join(from, 'pom.xml')];
    await run('mvn', ['--quiet', '--batch-mode', `${dependencyPlugin}:copy-dependencies`, ...where]);
  });
  const source = join(from, 'src', 'Program.java');
  const classes = await cached(`java-program-${digest(source)}`, async (target) => {
    // The compiler comes as a library, since the Java runtime has none.
    const compiler = ['-cp', join(libraries, '*'), 'org.eclipse.jdt.internal.compiler.batch.Main'];
    await run(java, [
      ...compiler,
      '-21',
      '-proc:none',
      '-nowarn',
      '-cp',
      jars(libraries),
      '-d',
      target,
      source,
    ]);
  });
  return { program: java, parameters: ['-Xmx256m', '-cp', `${classes}:${join(libraries, '*')}`, 'Program'] };
}

function jars(folder: string): string {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jar'))
    .map((file) => join(folder, file))
    .join(':');
}
