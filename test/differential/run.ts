/** Holds the same conversations with two servers. */

import type { KnownDifference } from './compare.ts';
import { compare, type Difference, type Holding, type Judgement, judge, scenariosOf } from './compare.ts';
import { Conversation, type Exchange } from './conversation.ts';
import { normalise } from './normalise.ts';
import type { Scenario } from './scenarios/index.ts';

/** So many conversations go on at once, with each server. */
const atOnce = 6;
/** So often is a conversation held at most. */
const timesMax = 3;

/** Where two servers are reached that nobody has spoken to; the addresses end with `/api`. */
export interface Pair {
  readonly theirs: string;
  readonly ours: string;
}

export interface Held {
  readonly exchanges: readonly Exchange[];
  /** Why it ended early. */
  readonly error?: string;
}

/** Holds one conversation; its exchanges are normalised. */
export async function converse(scenario: Scenario, base: string): Promise<Held> {
  const talk = new Conversation(base);
  try {
    await scenario.run(talk);
    return { exchanges: normalise(talk.exchanges) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { exchanges: normalise(talk.exchanges), error: message };
  }
}

/**
 * Holds all scenarios, and those again in which something is new or missing: the reference has races, and what does not
 * show again is one. A conversation is held with servers that have not heard it, since it names its definitions itself.
 *
 * @param fresh starts a pair of servers; called once for each time
 */
export async function compareForSure(
  scenarios: readonly Scenario[],
  known: readonly KnownDifference[],
  fresh: () => Promise<Pair>,
): Promise<Judgement> {
  const holdings = new Map<string, Holding[]>();
  let again = scenarios;
  for (let time = 1; ; time += 1) {
    for (const [name, holding] of await compareAll(again, await fresh())) {
      holdings.set(name, [...(holdings.get(name) ?? []), holding]);
    }
    const judgement = judge(holdings, known);
    const doubtful = scenariosOf(judgement);
    again = scenarios.filter(({ name }) => doubtful.has(name));
    if (again.length === 0 || time === timesMax) return judgement;
  }
}

/**
 * All differences between two servers, by scenario. A conversation that ends early is one.
 *
 * @param tell called with those of each scenario, when it has ended
 */
export async function compareAll(
  scenarios: readonly Scenario[],
  { theirs, ours }: Pair,
  tell: (scenario: string, holding: Holding) => void = () => {},
): Promise<Map<string, Holding>> {
  const waiting = [...scenarios];
  const found = new Map<string, Holding>();
  const lane = async (): Promise<void> => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
      const [left, right] = await Promise.all([converse(scenario, theirs), converse(scenario, ours)]);
      const holding = differencesOf(scenario.name, left, right);
      found.set(scenario.name, holding);
      tell(scenario.name, holding);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return found;
}

function differencesOf(scenario: string, theirs: Held, ours: Held): Difference[] {
  const differences = compare(scenario, theirs.exchanges, ours.exchanges);
  if (theirs.error === undefined && ours.error === undefined) return differences;
  return [...differences, { scenario, call: 'the end', at: 'error', theirs: theirs.error, ours: ours.error }];
}
