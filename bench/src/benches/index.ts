/** All benches, in the order in which `list` shows them. */
import type { Bench } from '../context.ts';
import { churn } from './churn.ts';
import { commitContention } from './commit-contention.ts';
import { drain } from './drain.ts';
import { enqueue } from './enqueue.ts';
import { executors } from './executors.ts';
import { fairness } from './fairness.ts';
import { latency } from './latency.ts';
import { limits } from './limits.ts';
import { opsIdle } from './ops-idle.ts';
import { opsOverhead } from './ops-overhead.ts';
import { opsSleep } from './ops-sleep.ts';
import { prune } from './prune.ts';
import { raw } from './raw.ts';
import { rescue } from './rescue.ts';
import { schedules } from './schedules.ts';
import { steady } from './steady.ts';
import { workflowFork } from './workflow-fork.ts';
import { workflowLatency } from './workflow-latency.ts';
import { workflowLimits } from './workflow-limits.ts';
import { workflowLoop } from './workflow-loop.ts';
import { workflowNative } from './workflow-native.ts';
import { workflowPollers } from './workflow-pollers.ts';
import { workflowSearch } from './workflow-search.ts';
import { workflowThroughput } from './workflow-throughput.ts';

export const benches: readonly Bench[] = [
  enqueue,
  drain,
  latency,
  steady,
  churn,
  raw,
  executors,
  commitContention,
  rescue,
  prune,
  schedules,
  limits,
  fairness,
  opsOverhead,
  opsIdle,
  opsSleep,
  workflowNative,
  workflowThroughput,
  workflowLatency,
  workflowFork,
  workflowLoop,
  workflowPollers,
  workflowLimits,
  workflowSearch,
];
