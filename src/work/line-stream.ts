// Turns work that pushes values into values that a reader pulls at its own pace.

/** Ends when the work ends. An error of the work is thrown after all values that came before it. */
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
  // The failure is thrown below, once the lines before it have been read.
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
