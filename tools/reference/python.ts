/**
 * A Python with the packages of a list. `node tools/reference/python.ts NAME LIST` tells where it is, for programs that do
 * not import this.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from '../debian.ts';
import { cached, cacheFolder } from './cache.ts';
import { digest } from './digest.ts';
import { run, succeeds } from './run.ts';

/** The path of a `python` in a virtual environment with the packages of this list: made the first time. */
export async function pythonWith(name: string, requirements: string): Promise<string> {
  if (!succeeds('python3', '-c', 'import venv, ensurepip'))
    installDebianPackages(['python3', 'python3-venv']);
  const version = (await run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])).trim();
  const entry = `${name}-${version}-${digest(requirements)}`;
  // A virtual environment knows its own path, so it is made where it stays; the mark says that it is whole.
  const folder = join(cacheFolder(), `venv-${entry}`);
  const python = join(folder, 'bin', 'python');
  await cached(`mark-${entry}`, async () => {
    process.stderr.write(`set-up: installing Python packages for ${name} (once)\n`);
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, requirements] = process.argv.slice(2);
  if (name === undefined || requirements === undefined) throw new Error('usage: python.ts NAME LIST');
  process.stdout.write(`${await pythonWith(name, requirements)}\n`);
}
