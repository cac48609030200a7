/**
 * The name of the schema that an installation lives in, and how it gets into the SQL. Names are put in when
 * statements are loaded, so that no statement depends on `search_path`, which poolers do not keep. Pure.
 */
import { invalidOption } from '../domain/errors.ts';

export const defaultSchema = 'lineshaft';

// PostgreSQL cuts names at 63 bytes; the rest is room for names that are derived from it.
const maxLength = 50;

/**
 * Checks the setting `schema`.
 *
 * @returns the name; `lineshaft` where none is given
 * @throws OPTION_INVALID
 */
export function checkSchemaName(schema: unknown = defaultSchema): string {
  const expected = `1 to ${maxLength} lower-case letters, digits or _, not starting with a digit or with pg_`;
  if (
    typeof schema !== 'string' ||
    schema.length > maxLength ||
    !/^[a-z_][a-z0-9_]*$/.test(schema) ||
    schema.startsWith('pg_')
  ) {
    throw invalidOption('schema', schema, expected);
  }
  return schema;
}

/**
 * Puts the schema's name into a text that was written for `lineshaft`: wherever it qualifies a name, also in
 * a literal such as `'lineshaft.history'::regclass` or a function's body; after the word `schema`; and where
 * it is a literal of its own, which names the channel of notifications. As a name it is quoted, so that it
 * may be a word of SQL.
 */
export function bindSchema(text: string, schema: string): string {
  const name = checkSchemaName(schema);
  return text
    .replace(/\blineshaft\.(?=[a-z_%])/g, `"${name}".`)
    .replace(/\bschema lineshaft\b/g, `schema "${name}"`)
    .replaceAll("'lineshaft'", `'${name}'`);
}
