/** Which licence a package has: what its manifest says, or else what its licence file begins with. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const signs: readonly (readonly [RegExp, string])[] = [
  [/apache license\s+version 2/i, 'Apache-2.0'],
  [/mozilla public license,? version 2/i, 'MPL-2.0'],
  [/permission to use, copy, modify, and\/or distribute/i, 'ISC'],
  [/permission is hereby granted, free of charge/i, 'MIT'],
  [/redistributions? of source code.*neither the name/is, 'BSD-3-Clause'],
  [/redistributions? of source code/i, 'BSD-2-Clause'],
  [/this is free and unencumbered software/i, 'Unlicense'],
];

/** `*` behind a licence: the manifest names none, it was recognised by the text of the licence file. */
export function licenceOf(
  folder: string,
  manifest: Readonly<Record<string, unknown>>,
  paths: readonly string[],
): string {
  const stated = named(manifest['license']) ?? named(manifest['licenses']);
  if (stated !== undefined) return stated;
  const file = paths.find((path) => /^(licen[cs]e|copying)(\.\w+)?$/i.test(path));
  if (file === undefined) return 'none stated';
  const text = readFileSync(join(folder, file), 'utf8').slice(0, 4_000);
  const found = signs.find(([sign]) => sign.test(text));
  return found === undefined ? 'see its file' : `${found[1]} *`;
}

/** `"MIT"`, and the older `{ "type": "MIT" }` and lists of them. */
function named(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return value;
  if (Array.isArray(value)) {
    const names = value.map(named).filter((name) => name !== undefined);
    return names.length === 0 ? undefined : names.join(' OR ');
  }
  if (typeof value === 'object' && value !== null) return named((value as { type?: unknown }).type);
  return undefined;
}
