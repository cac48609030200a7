/** Lays figures and ratios out as one table per variant. */

export interface FigureLine {
  readonly bench: string;
  readonly variant: string;
  readonly system: string;
  readonly metric: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

export interface RatioLine {
  readonly bench: string;
  readonly variant: string;
  readonly metric: string;
  readonly system: string;
  readonly against: string;
  readonly ratio: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

const HEADER = ['metric', 'system', 'median', 'min – max', 'ratio', 'min – max', 'rounds'];
const LEFT_ALIGNED = 2;

/** Figures by metric, beside each the ratio of ours to it; ratios against no system of the table follow. */
export function renderTable(
  title: string,
  figures: readonly FigureLine[],
  ratios: readonly RatioLine[],
): string {
  const rows: string[][] = [];
  const metrics = [...new Set([...figures, ...ratios].map((line) => line.metric))];
  for (const metric of metrics) {
    const systems = new Set<string>();
    for (const figure of figures.filter((line) => line.metric === metric)) {
      systems.add(figure.system);
      const ratio = ratios.find((line) => line.metric === metric && line.against === figure.system);
      rows.push([
        rows.some((row) => row[0] === metric) ? '' : metric,
        figure.system,
        show(figure.median),
        `${show(figure.min)} – ${show(figure.max)}`,
        ...ratioCells(ratio),
        String(figure.rounds),
      ]);
    }
    for (const ratio of ratios.filter((line) => line.metric === metric && !systems.has(line.against))) {
      rows.push(['', `against ${ratio.against}`, '', '', ...ratioCells(ratio), String(ratio.rounds)]);
    }
  }
  return `\n${title}\n${align([HEADER, ...rows])}\n`;
}

function ratioCells(ratio: RatioLine | undefined): [string, string] {
  return ratio === undefined
    ? ['', '']
    : [ratio.ratio.toFixed(2), `${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)}`];
}

function show(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-GB');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function align(rows: readonly string[][]): string {
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column < LEFT_ALIGNED ? cell.padEnd(width) : cell.padStart(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
