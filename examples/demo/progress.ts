/** How far the demo is: a bar with the rate on a terminal, a line for each quarter elsewhere. */

import type { PackageAudit } from './audit-package.ts';
import { bar, count, duration, size, type Terminal } from './terminal.ts';

const redrawMs = 80;

export class Progress {
  private readonly terminal: Terminal;
  private readonly total: number;
  private readonly startedMs = performance.now();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly workers: { readonly name: string; finished: number }[] = [];
  private finished = 0;
  private files = 0;
  private bytes = 0;
  private latest = '';

  constructor(terminal: Terminal, total: number, workerNames: readonly string[]) {
    this.terminal = terminal;
    this.total = total;
    this.workers = workerNames.map((name) => ({ name, finished: 0 }));
    if (terminal.isLive) this.timer = setInterval(() => this.draw(), redrawMs);
    this.draw();
  }

  /** Milliseconds since the first job was enqueued. */
  get elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  get jobsPerSecond(): number {
    return (this.finished * 1_000) / Math.max(this.elapsedMs, 1);
  }

  workerFinished(worker: number, jobs: number): void {
    const known = this.workers[worker];
    if (known !== undefined) known.finished += jobs;
  }

  packageFinished(audit: PackageAudit): void {
    const quarter = Math.floor((4 * this.finished) / this.total);
    this.finished += 1;
    this.files += audit.files;
    this.bytes += audit.bytes;
    this.latest = audit.name;
    if (this.terminal.isLive || Math.floor((4 * this.finished) / this.total) === quarter) return;
    this.terminal.say(`${this.counted()}, ${this.rate()}, ${size(this.bytes)} hashed`);
  }

  stop(): void {
    clearInterval(this.timer);
    this.terminal.rest();
  }

  private counted(): string {
    return `${count(this.finished)} of ${count(this.total)} packages`;
  }

  private rate(): string {
    return `${count(Math.round(this.jobsPerSecond))} jobs/s`;
  }

  private draw(): void {
    const { terminal } = this;
    const parts = [this.counted(), this.rate(), size(this.bytes), duration(this.elapsedMs)];
    const text = parts.join('   ');
    const width = Math.min(terminal.columns - text.length - 3, 40);
    const drawn = width < 5 ? '' : `${terminal.paint('green', bar(this.finished / this.total, width))}  `;
    const shares = this.workers.map(({ name, finished }) => `${name}: ${count(finished)}`).join('   ');
    const detail = `${shares}   latest: ${this.latest}`.slice(0, terminal.columns - 1);
    terminal.draw([`${drawn}${text.slice(0, terminal.columns - 1)}`, terminal.paint('dim', detail)]);
  }
}
