/** The statements of the product with the name of the installation's schema put in. */

import { bindSchema } from './schema-name.ts';
import type { Statement } from './session.ts';
import { statements } from './statements.generated.ts';

export type BoundStatements = { readonly [Name in keyof typeof statements]: Statement };

/** Binds all statements to a schema; their prepared names stay the same, since a connection serves one schema. */
export function bindStatements(schema: string): BoundStatements {
  const bound: Record<string, Statement> = {};
  for (const [key, statement] of Object.entries(statements)) {
    bound[key] = { name: statement.name, text: bindSchema(statement.text, schema) };
  }
  return bound as BoundStatements;
}
