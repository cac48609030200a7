/** The real clients that programs of ours use, and how each is set up: once, in the cache of what tests fetch. */
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from '../../tools/debian.ts';
import { cached, cacheFolder } from '../../tools/reference/cache.ts';
import { digest, findJava } from '../../tools/reference/java.ts';
import { dependencyPlugin } from '../../tools/reference/pins.ts';
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

/** A Python with the packages of this list, in a virtual environment of its own. */
export async function pythonWith(name: string, requirements: string): Promise<string> {
  if (!succeeds('python3', '-c', 'import venv, ensurepip'))
    installDebianPackages(['python3', 'python3-venv']);
  const version = (await run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])).trim();
  const entry = `${name}-${version}-${digest(requirements)}`;
  // A virtual environment knows its own path, so it is made where it stays; the mark says that it is whole.
  const folder = join(cacheFolder(), `venv-${entry}`);
  const python = join(folder, 'bin', 'python');
  await cached(`mark-${entry}`, async () => {
    process.stderr.write(`set-up: installing the client ${name} (once)\n`);
    await run('python3', ['-m', 'venv', '--clear', folder]);
    const how = [
      'install',
      '--quiet',
      '--no-deps',
      '--disable-pip-version-check',
      '--requirement',
      requirements,
    ];
    await run(python, ['-m', 'pip', ...how]);
  });
  return python;
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

async function setUpGo(): Promise<Program> {
  if (!succeeds('go', 'version')) installDebianPackages(['golang-go']);
  const from = join(here, 'go');
  const versions = ['go.mod', 'go.sum', 'program.go'].map((file) => digest(join(from, file)));
  const folder = await cached(`go-${versions.join('-')}`, async (target) => {
    process.stderr.write('set-up: building the client go (once)\n');
    await run('go', ['build', '-o', join(target, 'program'), '.'], { cwd: from });
  });
  return { program: join(folder, 'program'), parameters: [] };
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
