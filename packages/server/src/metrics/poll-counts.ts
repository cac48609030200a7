/** Counts polls and reports of workers, whatever the dialect: a `Workflows` in front of the one that does the work. */

import type { PollRequest, StepReport, Workflows } from '@lineshaft/core';
import type { PrometheusText } from './prometheus.ts';

export class PollCounts {
  /** Give this to the dialects. */
  readonly workflows: Workflows;
  private polls = 0;
  private emptyPolls = 0;
  private polled = 0;
  private open = 0;
  private readonly reports = new Map<string, number>();

  constructor(inner: Workflows) {
    const counted: Pick<Workflows, 'poll' | 'report' | 'reportByRef'> = {
      poll: (request) => this.countPoll(inner, request),
      report: (report) => {
        this.countReport(report.status);
        return inner.report(report);
      },
      reportByRef: (runId, ref, report) => {
        this.countReport(report.status);
        return inner.reportByRef(runId, ref, report);
      },
    };
    this.workflows = new Proxy(inner, {
      get: (target, name) => {
        if (Object.hasOwn(counted, name)) return counted[name as keyof typeof counted];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  write(text: PrometheusText): void {
    const one = (value: number) => [[{}, value] as const];
    text.counter('lineshaft_polls_total', 'Polls of workers over HTTP that were answered.', one(this.polls));
    text.counter('lineshaft_polls_empty_total', 'Polls that brought nothing.', one(this.emptyPolls));
    text.counter(
      'lineshaft_polled_steps_total',
      'Steps that were given to workers over HTTP.',
      one(this.polled),
    );
    text.gauge('lineshaft_long_polls_open', 'Polls that wait for a step.', one(this.open));
    text.counter(
      'lineshaft_reports_total',
      'Reports of workers over HTTP, by what they say of the step.',
      [...this.reports].map(([status, count]) => [{ status }, count] as const),
    );
  }

  private countPoll(inner: Workflows, request: PollRequest): ReturnType<Workflows['poll']> {
    const asked = inner.poll(request);
    this.open += 1;
    return asked.then(
      (steps) => {
        this.open -= 1;
        this.polls += 1;
        this.polled += steps.length;
        if (steps.length === 0) this.emptyPolls += 1;
        return steps;
      },
      (error: unknown) => {
        this.open -= 1;
        throw error;
      },
    );
  }

  private countReport(status: StepReport['status']): void {
    this.reports.set(status, (this.reports.get(status) ?? 0) + 1);
  }
}
