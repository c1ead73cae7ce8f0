// The lab's results as a table: the median of the runs, with the least and the most.

export interface Measured {
  system: string
  bytes: number
  seconds: number
  idealSeconds: number | null
  /** Of each link. */
  wanBytes: number[]
}

/** Markdown. A link's share is that of the busiest one. */
export function tableOf(measured: readonly Measured[]): string {
  const systems = [...new Set(measured.map(({ system }) => system))]
  const isShaped = measured.some(({ idealSeconds }) => idealSeconds !== null)
  const columns = isShaped
    ? ['system', 'WAN bytes / payload', 'time of the last node / ideal', 'seconds']
    : ['system', 'MB/s', 'seconds']
  const rows = systems.map((system) => {
    const runs = measured.filter((each) => each.system === system)
    const seconds = spread(runs.map((each) => each.seconds))
    if (!isShaped) return [system, spread(runs.map((each) => each.bytes / 1e6 / each.seconds)), seconds]
    const share = spread(runs.map(({ wanBytes, bytes }) => Math.max(...wanBytes) / bytes))
    return [system, share, spread(runs.map((each) => each.seconds / (each.idealSeconds ?? Number.NaN))), seconds]
  })
  const lines = [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return lines.join('\n')
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number) => digits(sorted[index] ?? Number.NaN)
  if (sorted.length === 1) return at(0)
  const middle = sorted.length / 2
  const median = ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
  return `${digits(median)} (${at(0)} to ${at(sorted.length - 1)})`
}

function digits(value: number): string {
  return value >= 20 ? value.toFixed(1) : value.toFixed(3)
}
