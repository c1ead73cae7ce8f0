// Aligned columns.

export interface Column {
  title: string
  align?: 'right'
}

/** The header, then a line per row; the last column is never padded. */
export function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => widthOf(line[index] ?? ''))))
  return lines
    .map((line) =>
      columns
        .map(({ align }, index) => {
          const cell = line[index] ?? ''
          const space = ' '.repeat((widths[index] ?? 0) - widthOf(cell))
          return align === 'right' ? space + cell : cell + space
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** `name   value` lines for one thing; what is undefined or empty is left out. */
export function factsText(facts: Readonly<Record<string, string | undefined>>): string {
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

function widthOf(text: string): number {
  return [...text].length
}
