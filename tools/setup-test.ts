/**
 * Installs what the tests need besides npm packages, where it is missing: PostgreSQL 15, the oldest version
 * that is supported, and pgbouncer. On Debian and Ubuntu, by apt, as root or by sudo. Does nothing where all
 * is there.
 */
import { fileURLToPath } from 'node:url';
import { findPgbouncer } from '../packages/core/src/testing/pgbouncer.ts';
import { hasBinaries } from '../packages/core/src/testing/server-binaries.ts';
import { installDebianPackages } from './debian.ts';

/** The Debian packages that are missing. */
export function missingPackages(): string[] {
  return [
    ...(hasBinaries(15) ? [] : ['postgresql-15']),
    ...(findPgbouncer() === undefined ? ['pgbouncer'] : []),
  ];
}

/** Installs what is missing; throws with what to do by hand where that is not possible. */
export function setupTest(): void {
  installDebianPackages(missingPackages());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setupTest();
  } catch (error) {
    process.stderr.write(`setup-test: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
