/** Which database a command works on. Pure but for the look whether the folder has an embedded one. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './usage-error.ts';

export interface DatabaseFlags {
  readonly databaseUrl?: string;
  readonly schema?: string;
}

export type DatabaseChoice =
  | { readonly type: 'url'; readonly url: string; readonly from: string }
  | { readonly type: 'embedded'; readonly directory: string };

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/**
 * The database, by the first of: `--database-url`, LINESHAFT_DATABASE_URL, the embedded server of the current
 * folder.
 *
 * @param create Choose the embedded server also where the folder has none yet, as `dev` does.
 * @throws OPTION_INVALID with the three ways to say which
 */
export function chooseDatabase(
  flags: DatabaseFlags,
  { env, cwd }: Surroundings,
  create = false,
): DatabaseChoice {
  const given = flags.databaseUrl ?? (env['LINESHAFT_DATABASE_URL'] || undefined);
  if (given !== undefined) {
    const from = flags.databaseUrl === undefined ? 'LINESHAFT_DATABASE_URL' : '--database-url';
    if (/^postgres(ql)?:\/\//.test(given)) return { type: 'url', url: given, from };
    throw new UsageError(`${from} must begin with postgresql://, such as postgresql://user@localhost/app`, {
      field: from,
    });
  }
  if (create || existsSync(join(cwd, '.lineshaft'))) return { type: 'embedded', directory: cwd };
  throw new UsageError(
    'no database was named, and this folder has none. Do one of these:\n' +
      '  lineshaft dev                                 starts one for this folder, in .lineshaft/\n' +
      '  --database-url postgresql://user@host/name    names one for this command\n' +
      '  export LINESHAFT_DATABASE_URL=postgresql://…  names one for all commands',
    { field: '--database-url' },
  );
}

/** The embedded server of the current folder. @throws OPTION_INVALID where another database is named besides */
export function chooseEmbedded({ databaseUrl }: DatabaseFlags, { cwd }: Surroundings): DatabaseChoice {
  if (databaseUrl === undefined) return { type: 'embedded', directory: cwd };
  throw new UsageError('--embedded and --database-url name two databases; give one of them', {
    field: '--embedded',
  });
}

/** The schema that is named by `--schema` or LINESHAFT_SCHEMA; undefined: the default. */
export function chooseSchema(flags: DatabaseFlags, env: Surroundings['env']): string | undefined {
  return flags.schema ?? (env['LINESHAFT_SCHEMA'] || undefined);
}

/** An address without its password, for people to read. */
export function withoutPassword(address: string): string {
  const url = URL.parse(address);
  if (url === null) return 'postgresql://…';
  const folder = url.searchParams.get('host');
  const host = folder ?? url.host;
  const user = url.username === '' ? '' : `${url.username}@`;
  return folder === null ? `postgresql://${user}${host}${url.pathname}` : `${user}${folder}${url.pathname}`;
}
