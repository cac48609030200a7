/**
 * Generates a client of Prisma, as `prisma generate` does, with the generator alone: the command would bring
 * 300 MB and fetch a program from outside, neither of which generating needs.
 */

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface Config {
  readonly generators: readonly object[];
  readonly datasources: readonly object[];
}

interface Tools {
  getConfig(of: { datamodel: [string, string][] }): Promise<Config>;
  getDMMF(of: { datamodel: [string, string][] }): Promise<object>;
}

interface Generator {
  getManifest(config: object | undefined): Promise<{ requiresEngineVersion: string }>;
  generate(options: object): Promise<void>;
}

/** What of a generated client the tests use. */
export interface AccountClient {
  $transaction<Result>(work: (tx: AccountTransaction) => Promise<Result>): Promise<Result>;
  $disconnect(): Promise<void>;
}

export interface AccountTransaction {
  readonly account: { create(of: { data: { name: string } }): Promise<unknown> };
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
  $transaction<Result>(work: (tx: AccountTransaction) => Promise<Result>): Promise<Result>;
}

const model = `model Account {
  id   Int    @id @default(autoincrement())
  name String
  @@map("account")
}`;

/** Generates a client for a table `account` into a folder, and gives its class. */
export async function generateClient(
  folder: string,
): Promise<new (options: { adapter: unknown }) => AccountClient> {
  // Their modules for `import` do not load: they name files without their endings.
  const require = createRequire(import.meta.url);
  const { getConfig, getDMMF } = require('@prisma/internals') as Tools;
  const { PrismaClientTsGenerator } = require('@prisma/client-generator-ts') as {
    PrismaClientTsGenerator: new () => Generator;
  };
  const output = join(folder, 'client');
  const schema = `generator client {
  provider = "prisma-client"
  output = ${JSON.stringify(output)}
  importFileExtension = "ts"
}
datasource db {
  provider = "postgresql"
}
${model}
`;
  const schemaPath = join(folder, 'schema.prisma');
  const datamodel: [string, string][] = [[schemaPath, schema]];
  const config = await getConfig({ datamodel });
  const generator = new PrismaClientTsGenerator();
  const { requiresEngineVersion } = await generator.getManifest(config.generators[0]);
  mkdirSync(output, { recursive: true });
  await generator.generate({
    generator: config.generators[0],
    otherGenerators: [],
    datasources: config.datasources,
    dmmf: await getDMMF({ datamodel }),
    datamodel: schema,
    schemaPath,
    version: requiresEngineVersion,
    binaryPaths: {},
  });
  // The client finds its run-time from where it is.
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'), 'dir');
  const made = (await import(join(output, 'client.ts'))) as {
    PrismaClient: new (options: { adapter: unknown }) => AccountClient;
  };
  return made.PrismaClient;
}
