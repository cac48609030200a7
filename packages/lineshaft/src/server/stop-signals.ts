/** The signals that end a process that serves: the first asks, the second hurries. */

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class StopSignals {
  readonly first: Promise<void>;
  readonly second: Promise<void>;
  private readonly listener: () => void;

  constructor() {
    const once = Promise.withResolvers<void>();
    const twice = Promise.withResolvers<void>();
    this.first = once.promise;
    this.second = twice.promise;
    let count = 0;
    this.listener = () => {
      count += 1;
      if (count === 1) once.resolve();
      else twice.resolve();
    };
    for (const name of names) process.on(name, this.listener);
  }

  end(): void {
    for (const name of names) process.off(name, this.listener);
  }
}
