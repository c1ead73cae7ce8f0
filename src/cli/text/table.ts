// Aligned columns and lists of facts.

export interface Column {
  title: string
  align?: 'right'
}

/** What is not known is shown as `-` in a table, and is left out of facts. */
export type Cell = string | number | null | undefined

/** The header, then a line per row; the last column is never padded. */
export function tableText(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => row.map((cell) => `${cell ?? '-'}`))]
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

/** `name   value` lines for one thing; a value that is not known or empty is left out. */
export function factsText(facts: Readonly<Record<string, Cell>>): string {
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

/** A title with indented lines below it; empty without any lines. */
export function listText(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [title, ...lines.map((line) => `  ${line}`)].join('\n')
}

/** Sections with an empty line between them; empty ones are left out. */
export function sectionsText(sections: readonly string[]): string {
  return sections.filter((section) => section !== '').join('\n\n')
}

function widthOf(text: string): number {
  return [...text].length
}
