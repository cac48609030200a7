/** The plugins of a folder of tasks: `_plugins.ts` exports a list of them, and may export `without`. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from '@lineshaft/core';
import { UsageError } from './usage-error.ts';

const names = ['_plugins.ts', '_plugins.js', '_plugins.mjs'] as const;

/** What `new Lineshaft()` is given of them; nothing where there is no such file. */
export async function loadPlugins(
  directory: string,
): Promise<{ plugins?: readonly Plugin[]; without?: readonly string[] }> {
  const file = names.map((name) => join(directory, name)).find((path) => existsSync(path));
  if (file === undefined) return {};
  const { default: plugins, without } = (await import(pathToFileURL(file).href)) as {
    default?: unknown;
    without?: unknown;
  };
  if (!Array.isArray(plugins)) {
    throw new UsageError(`${file} must export a list of plugins: export default [myPlugin()]`, {
      field: '--tasks',
    });
  }
  if (without === undefined) return { plugins };
  if (!Array.isArray(without)) {
    throw new UsageError(`${file}: without must be a list of names`, { field: '--tasks' });
  }
  return { plugins, without };
}
