/**
 * What commands ask of a Lineshaft installation: the one interface between them and the data. The database is
 * one adapter (`Lineshaft` of the core, as it is); a server behind HTTP will be another.
 */

import type { Lineshaft } from '@lineshaft/core';

export type Data = Pick<
  Lineshaft,
  | 'enqueue'
  | 'waitFor'
  | 'showJob'
  | 'listJobs'
  | 'cancel'
  | 'retry'
  | 'deleteJobs'
  | 'prune'
  | 'countPrunable'
  | 'declare'
  | 'pauseQueue'
  | 'resumeQueue'
  | 'deleteQueue'
  | 'queues'
  | 'showQueue'
  | 'showQueues'
  | 'declareLimit'
  | 'limits'
  | 'showLimit'
  | 'deleteLimit'
  | 'throttleLimit'
  | 'schedule'
  | 'schedules'
  | 'showSchedule'
  | 'pauseSchedule'
  | 'resumeSchedule'
  | 'runSchedule'
  | 'deleteSchedule'
  | 'createProject'
  | 'projects'
  | 'workers'
  | 'circuits'
  | 'circuit'
  | 'setCircuit'
  | 'openCircuit'
  | 'closeCircuit'
  | 'resetCircuit'
  | 'why'
>;
