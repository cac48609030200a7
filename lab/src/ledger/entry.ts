/**
 * The lines of the ledger: what callers and handlers saw, written outside the database. `at` is monotonicMs.
 * A job is known by its `ref`, which its caller gives it and which its payload carries, and by its id once there is
 * one.
 */
import type { Ask } from '../workloads/workload.ts';

export type Entry =
  | { readonly e: 'open'; readonly at: number; readonly role: 'caller' | 'worker'; readonly name: string }
  /** A caller is about to enqueue; `id` where it has chosen one. */
  | ({ readonly e: 'send'; readonly at: number; readonly ref: string; readonly id?: string } & Ask)
  /** The database has acknowledged; `id` names the job that stands for the request. */
  | {
      readonly e: 'ack';
      readonly at: number;
      readonly ref: string;
      readonly id: string;
      readonly result: string;
    }
  /** The answer was lost, or there was no database: the job may exist or not. */
  | { readonly e: 'unknown'; readonly at: number; readonly ref: string; readonly code: string }
  /** The database said no, which it never should. */
  | { readonly e: 'refused'; readonly at: number; readonly ref: string; readonly code: string }
  /** A handler begins. */
  | {
      readonly e: 'start';
      readonly at: number;
      readonly id: string;
      readonly ref: string;
      readonly workload: string;
      readonly attempt: number;
      readonly key?: string;
    }
  | {
      readonly e: 'end';
      readonly at: number;
      readonly id: string;
      readonly attempt: number;
      readonly how: 'returned' | 'threw' | 'snoozed';
    }
  /** The worker says that these results are written. */
  | {
      readonly e: 'written';
      readonly at: number;
      readonly jobs: readonly (readonly [id: string, ending: string])[];
    }
  /** The worker says that these results came too late and were dropped. */
  | { readonly e: 'late'; readonly at: number; readonly ids: readonly string[] }
  | { readonly e: 'disowned'; readonly at: number }
  /** The process did not get to run for a while, which ended at `at`. */
  | { readonly e: 'stall'; readonly at: number; readonly ms: number };
