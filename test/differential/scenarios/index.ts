/** All scenarios, in the order in which they run. */
import { branches } from './branches.ts';
import { control } from './control.ts';
import { metadata } from './metadata.ts';
import { plain } from './plain.ts';
import { reading } from './reading.ts';
import type { Scenario } from './scenario.ts';
import { system } from './system.ts';

export type { Scenario } from './scenario.ts';

export const scenarios: readonly Scenario[] = [
  ...metadata,
  ...plain,
  ...branches,
  ...system,
  ...control,
  ...reading,
];
