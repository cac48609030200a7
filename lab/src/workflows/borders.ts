/** The borders between a step and the next at which processes are killed on purpose, by who comes to them. */

export const borders = {
  server: [
    // The database has given the steps to a poll, and nobody was told.
    'after claim_remote',
    'poll answered',
    'update heard',
    'before apply_runs',
    // What follows is written, and whoever has asked was not told.
    'after apply_runs',
  ],
  worker: [
    'after claim',
    'before complete_steps',
    // The end of the step is written, and what follows is not decided.
    'after complete_steps',
    'before apply_runs',
    'after apply_runs',
  ],
  poller: ['polled', 'begun', 'report sent', 'report answered'],
  // The key of a start is taken, and there is no run.
  caller: ['after claim_run_key', 'before apply_runs', 'after apply_runs'],
  // The database dies while it is at it.
  database: ['at claim_remote', 'at apply_runs', 'at complete_steps'],
} as const satisfies Record<string, readonly string[]>;

export type Role = keyof typeof borders;
export type Border = (typeof borders)[Role][number];

/** Each with who comes to it. */
export const allBorders: readonly { readonly role: Role; readonly at: Border }[] = Object.entries(
  borders,
).flatMap(([role, list]) => list.map((at: Border) => ({ role: role as Role, at })));
