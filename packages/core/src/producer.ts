/** The producer's entry: enqueue jobs, and nothing that runs in the background. @module */

export { isLineshaftError, LineshaftError } from './domain/errors.ts';
export type { EnqueueOptions, EnqueueRequest, EnqueueResult } from './domain/job-options.ts';
export { defineKinds } from './domain/kinds.ts';
export { type CallerTransaction, type Enqueueing, Producer, type ProducerOptions } from './queue/producer.ts';
