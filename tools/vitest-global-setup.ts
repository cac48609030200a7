/**
 * Before all tests: generates the modules from the SQL files, and starts one PostgreSQL of each tested
 * version, which all test files share. A file takes a database of its own: `const url = await
 * createDatabase(inject('postgres18'))`.
 */
import type { TestProject } from 'vitest/node';
import { startServer, type TestServer } from '../packages/core/src/testing/server.ts';
import { generateStatements } from './generate-statements.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The address of database `postgres` on the shared server of version 15. */
    postgres15: string;
    /** The address of database `postgres` on the shared server of version 18. */
    postgres18: string;
  }
}

let servers: TestServer[] = [];

export async function setup(project: TestProject): Promise<void> {
  generateStatements();
  const started = await Promise.allSettled([startServer(15), startServer(18)]);
  servers = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = started.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    await teardown();
    throw failed.reason;
  }
  for (const server of servers) {
    project.provide(server.version === 15 ? 'postgres15' : 'postgres18', server.url());
  }
}

export async function teardown(): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
}
