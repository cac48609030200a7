/** Reads the migrations of a plugin from their folder, with the same rules as our own. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { LineshaftError } from '../domain/errors.ts';
import type { Migration, MigrationSet } from './schema-version.ts';

/** @throws OPTION_INVALID with the plugin and the file: no folder, a wrong name, a number missing or there twice */
export function readMigrations(plugin: string, folder: URL): MigrationSet {
  const migrations = filesOf(plugin, folder).map((file): Migration => {
    const [, number = '', name = ''] = /^(\d{4})_([a-z][a-z0-9_]*)\.sql$/.exec(file) ?? [];
    if (number === '') throw wrong(plugin, `${file}: the name must be NNNN_lower_case.sql`);
    const text = readFileSync(new URL(file, folder), 'utf8').replaceAll('\r\n', '\n');
    const checksum = createHash('sha256').update(text).digest('hex');
    return { version: Number(number), name, checksum, text };
  });
  for (const [place, { version, name }] of migrations.entries()) {
    if (version === place + 1) continue;
    throw wrong(
      plugin,
      version <= place
        ? `number ${version} (${name}) is there twice`
        : `number ${place + 1} is missing before ${name}`,
    );
  }
  return { plugin, migrations };
}

function filesOf(plugin: string, folder: URL): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.sql'))
      .sort();
  } catch (cause) {
    throw wrong(plugin, `the folder ${folder.pathname} cannot be read`, cause);
  }
}

function wrong(plugin: string, what: string, cause?: unknown): LineshaftError {
  return new LineshaftError('OPTION_INVALID', {
    message: `migrations of plugin '${plugin}': ${what}`,
    details: { plugin },
    ...(cause === undefined ? {} : { cause }),
  });
}
