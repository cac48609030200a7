/** How long each part of the demo took; says so, and keeps it for the report. */

import { duration, type Terminal } from './terminal.ts';

export class Stopwatch {
  /** Milliseconds by the names of the parts. */
  readonly times: Record<string, number> = {};
  private readonly terminal: Terminal;
  private readonly startedMs = performance.now();
  private lastMs = this.startedMs;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  get totalMs(): number {
    return performance.now() - this.startedMs;
  }

  /** A part is done. */
  lap(name: string, what: string): void {
    const tookMs = performance.now() - this.lastMs;
    this.lastMs += tookMs;
    this.times[name] = Math.round(tookMs);
    const { terminal } = this;
    terminal.say(`${terminal.paint('green', '✓')} ${what}  ${terminal.paint('dim', duration(tookMs))}`);
  }
}
