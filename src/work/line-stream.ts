// Values that come one by one from work that pushes them, for whoever reads them at their own pace.

/** The generator ends when the work has, and throws what it threw, after the values before it. */
export async function* linesOf<Line>(work: (say: (line: Line) => void) => Promise<void>): AsyncIterable<Line> {
  const lines: Line[] = []
  let wake = () => {}
  let done = false
  const say = (line: Line) => {
    lines.push(line)
    wake()
  }
  const working = work(say).finally(() => {
    done = true
    wake()
  })
  // Its failure is thrown below, once the lines before it are out.
  working.catch(() => {})
  while (!done || lines.length > 0) {
    const line = lines.shift()
    if (line !== undefined) {
      yield line
      continue
    }
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  await working
}
