/** Where the examples find a PostgreSQL: at LINESHAFT_DATABASE_URL, or the embedded one of this folder. */

export interface Database {
  readonly url: string;
  /** What it is, for people. */
  readonly about: string;
  /** Gives the embedded server up; its last user stops it. */
  release(): Promise<void>;
}

export async function openDatabase(directory: string = process.cwd()): Promise<Database> {
  const url = process.env['LINESHAFT_DATABASE_URL'];
  if (url !== undefined)
    return { url, about: 'PostgreSQL of LINESHAFT_DATABASE_URL', release: async () => {} };
  const { openEmbedded } = await import('lineshaft');
  const server = await openEmbedded({ directory });
  const how = server.started ? 'started' : 'was running';
  return {
    url: server.url,
    about: `embedded PostgreSQL ${server.majorVersion}, ${how}`,
    release: () => server.release(),
  };
}
