/** A formatted table. */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** The results of one part. */
export interface Section {
  readonly title: string
  /** How to read it, in Markdown. */
  readonly text: string
  readonly tables: readonly Table[]
  readonly goals?: readonly Goal[]
}

/** A goal and the measured value. */
export interface Goal {
  readonly what: string
  readonly wanted: string
  readonly measured: string
  readonly met: boolean
}

/** A row in Markdown. A separator inside a cell is escaped. */
const line = (cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`

function isNumeric(table: Table, column: number): boolean {
  return column > 0 && table.rows.some((row) => /^[\d–]/.test(row[column] ?? ''))
}

function markdownTable(table: Table): string {
  const rule = table.columns.map((_, column) => (isNumeric(table, column) ? '---:' : '---'))
  return [line(table.columns), line(rule), ...table.rows.map(line)].join('\n')
}

/** The same in columns, for a terminal. */
function textTable({ columns, rows }: Table): string {
  const all = [columns, ...rows]
  const widths = columns.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownSection({ title, text, tables }: Section): string {
  return [`## ${title}`, text, ...tables.map(markdownTable)].join('\n\n')
}

export function textSection({ title, text, tables }: Section): string {
  return [`\n${title}`, text, ...tables.map(textTable)].join('\n\n')
}

/** The goals of all parts as one section. */
export function goalSection(sections: readonly Section[]): Section {
  const goals = sections.flatMap((section) => section.goals ?? [])
  const rows = goals.map(({ what, wanted, measured, met }) => [what, wanted, measured, met ? 'yes' : 'no'])
  return {
    title: 'Goals',
    text: 'The goals of this suite, and the figures of this run.',
    tables: [{ columns: ['what', 'goal', 'measured', 'met'], rows }],
  }
}

/** A goal that a number must reach, or stay within. */
export function goal(
  what: string,
  sign: '≥' | '≤' | '<',
  limit: number,
  value: number,
  digits = 2,
  unit = '',
): Goal {
  const met = sign === '≥' ? value >= limit : sign === '≤' ? value <= limit : value < limit
  return { what, wanted: `${sign} ${limit}${unit}`, measured: `${value.toFixed(digits)}${unit}`, met }
}

/** 12345.6 → 12 346 */
export function whole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ')
}
