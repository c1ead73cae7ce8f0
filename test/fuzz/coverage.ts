// Which code of src/ was reached, by V8's own counters. No line of the code is changed for it.

import { Session } from 'node:inspector'

export interface Coverage {
  /** Whether code was reached since the last call of either that `note` has not seen. */
  look(): boolean
  /** The same, and remembers it. */
  note(): boolean
  /** Of the functions in these files: how many were entered, and the share of their code reached. */
  of(files: readonly string[]): Reached
  stop(): void
}

export interface Reached {
  functions: number
  entered: number
  /** From 0 to 1, of characters. */
  share: number
}

interface Range {
  startOffset: number
  endOffset: number
  count: number
}
interface Script {
  url: string
  functions: { functionName: string; ranges: Range[] }[]
}

interface Marks {
  /** By character: 0 unknown, 1 code that was never reached, 2 reached. */
  code: Uint8Array
  /** By the function's place. */
  functions: Map<string, boolean>
}

/** To be called before the code is loaded: V8 counts what is compiled from then on. */
export function startCoverage(): Coverage {
  const session = new Session()
  session.connect()
  post(session, 'Profiler.enable')
  post(session, 'Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const files = new Map<string, Marks>()
  /** What `look` has seen and `note` has not. */
  let looked: Script[] = []
  const taken = (): Script[] => {
    const { result } = post(session, 'Profiler.takePreciseCoverage') as { result: Script[] }
    return result.filter(({ url }) => url.includes('/src/') && !url.includes('/node_modules/'))
  }
  return {
    look() {
      looked = taken()
      return looked.some((script) => paint(files, script, false))
    },
    note() {
      const news = taken()
      return news.map((script) => paint(files, script, true)).includes(true)
    },
    of(wanted) {
      // What a batch reached and no single input repeated counts too.
      for (const script of [...looked, ...taken()]) paint(files, script, true)
      const found = [...files].filter(([url]) => wanted.some((file) => url.endsWith(`/${file}`)))
      const functions = found.flatMap(([, marks]) => [...marks.functions.values()])
      const code = found.map(([, marks]) => marks.code)
      const count = (mark: number) => code.reduce((sum, each) => sum + each.filter((one) => one === mark).length, 0)
      const [missed, reached] = [count(1), count(2)]
      const entered = functions.filter(Boolean).length
      return { functions: functions.length, entered, share: reached / Math.max(1, reached + missed) }
    },
    stop: () => session.disconnect(),
  }
}

/**
 * Returns whether the script has reached code that is not marked as reached. V8 names functions
 * before those inside them, so that the inner ones are painted over the outer ones.
 */
function paint(files: Map<string, Marks>, { url, functions }: Script, isKept: boolean): boolean {
  const marks = files.get(url) ?? { code: new Uint8Array(0), functions: new Map<string, boolean>() }
  // The code of the file itself has run when it was loaded.
  const own = functions.filter(({ functionName, ranges }) => functionName !== '' || ranges[0]?.startOffset !== 0)
  const now = new Uint8Array(Math.max(0, ...own.map(({ ranges }) => ranges[0]?.endOffset ?? 0)))
  for (const { ranges } of own) {
    for (const { startOffset, endOffset, count } of ranges) now.fill(count > 0 ? 2 : 1, startOffset, endOffset)
  }
  if (isKept && marks.code.length < now.length) {
    const longer = new Uint8Array(now.length)
    longer.set(marks.code)
    marks.code = longer
  }
  let isNew = false
  for (const [at, mark] of now.entries()) {
    if (mark <= (marks.code[at] ?? 0)) continue
    isNew ||= mark === 2
    if (isKept) marks.code[at] = mark
  }
  if (!isKept) return isNew
  for (const { ranges } of own) {
    const [whole] = ranges
    if (whole === undefined) continue
    const place = `${whole.startOffset}-${whole.endOffset}`
    marks.functions.set(place, (marks.functions.get(place) ?? false) || whole.count > 0)
  }
  files.set(url, marks)
  return isNew
}

/** Within one thread, the answer comes before `post` returns. */
function post(session: Session, method: string, params?: object): unknown {
  let answer: unknown
  let failed: Error | null = null
  session.post(method, params, (error: Error | null, result?: object) => {
    failed = error
    answer = result
  })
  if (failed !== null) throw failed
  return answer
}
