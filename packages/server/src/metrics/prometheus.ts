/** Metrics in the text format of Prometheus (exposition format 0.0.4). Pure. */

export type Labels = Readonly<Record<string, string | number>>;

/** A time with its distribution: `counts[n]` are those of at most `bounds[n]`; one more for all above. */
export interface Distribution {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

export class PrometheusText {
  private readonly lines: string[] = [];

  counter(name: string, help: string, samples: Iterable<readonly [Labels, number]>): void {
    this.family(name, 'counter', help, samples);
  }

  gauge(name: string, help: string, samples: Iterable<readonly [Labels, number]>): void {
    this.family(name, 'gauge', help, samples);
  }

  histogram(name: string, help: string, samples: Iterable<readonly [Labels, Distribution]>): void {
    this.head(name, 'histogram', help);
    for (const [labels, { bounds, counts, sum }] of samples) {
      let total = 0;
      for (const [place, count] of counts.entries()) {
        total += count;
        const bound = bounds[place];
        this.sample(`${name}_bucket`, { ...labels, le: bound === undefined ? '+Inf' : String(bound) }, total);
      }
      this.sample(`${name}_sum`, labels, sum);
      this.sample(`${name}_count`, labels, total);
    }
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }

  private family(
    name: string,
    type: string,
    help: string,
    samples: Iterable<readonly [Labels, number]>,
  ): void {
    this.head(name, type, help);
    for (const [labels, value] of samples) this.sample(name, labels, value);
  }

  private head(name: string, type: string, help: string): void {
    this.lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  private sample(name: string, labels: Labels, value: number): void {
    const text = Object.entries(labels)
      .map(([label, said]) => `${label}="${escaped(String(said))}"`)
      .join(',');
    this.lines.push(`${name}${text === '' ? '' : `{${text}}`} ${value}`);
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
