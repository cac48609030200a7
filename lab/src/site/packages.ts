/** What labs need besides what the tests need. */
import { existsSync } from 'node:fs';
import { installDebianPackages } from '../../../tools/debian.ts';

/** Installs the Debian packages whose program is not there. */
export function installPackages(
  packages: readonly { readonly name: string; readonly program: string }[],
): void {
  installDebianPackages(packages.filter(({ program }) => !existsSync(program)).map(({ name }) => name));
}
