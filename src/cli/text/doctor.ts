// The findings about a node, a line each, with what to do about it below.

interface Finding {
  about: string
  state: string
  found: string
  hint?: string
}

export function doctorText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ about }) => about.length))
  const lines = findings.flatMap(({ about, state, found, hint }) => {
    const line = `${state.padEnd(7)}  ${about.padEnd(width)}  ${found}`
    return hint === undefined ? [line] : [line, `${' '.repeat(9 + width + 2)}hint: ${hint}`]
  })
  const wrong = findings.filter(({ state }) => state === 'wrong').length
  const verdict = wrong === 0 ? 'nothing is wrong' : wrong === 1 ? 'one thing is wrong' : `${wrong} things are wrong`
  return [...lines, '', verdict].join('\n')
}
