/** Holds the same conversations with two servers. */
import { compare, type Difference } from './compare.ts';
import { Conversation, type Exchange } from './conversation.ts';
import { normalise } from './normalise.ts';
import type { Scenario } from './scenarios/index.ts';

/** So many conversations go on at once, with each server. */
const atOnce = 6;

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
 * All differences between two servers. A conversation that ends early on one side only is one.
 *
 * @param tell called with those of each scenario, when it has ended
 */
export async function compareAll(
  scenarios: readonly Scenario[],
  theirs: string,
  ours: string,
  tell: (differences: readonly Difference[]) => void = () => {},
): Promise<Difference[]> {
  const waiting = [...scenarios];
  const found = new Map<string, Difference[]>();
  const lane = async (): Promise<void> => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
      const [left, right] = await Promise.all([converse(scenario, theirs), converse(scenario, ours)]);
      const differences = differencesOf(scenario.name, left, right);
      found.set(scenario.name, differences);
      tell(differences);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return scenarios.flatMap(({ name }) => found.get(name) ?? []);
}

function differencesOf(scenario: string, theirs: Held, ours: Held): Difference[] {
  const differences = compare(scenario, theirs.exchanges, ours.exchanges);
  if ((theirs.error === undefined) === (ours.error === undefined)) return differences;
  return [...differences, { scenario, call: 'the end', at: 'error', theirs: theirs.error, ours: ours.error }];
}
