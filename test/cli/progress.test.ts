import t from 'tap'
import { createProgress } from '../../src/cli/progress.ts'

t.test('without a terminal every step is a line of its own', async (t) => {
  const { progress, written } = progressOn({ isTTY: false })
  progress.show({ step: 'packing', done: 1, total: 10 })
  progress.show({ step: 'packing', done: 9, total: 10 })
  progress.show({ step: 'hashing', done: 1, total: 10 })
  progress.end()
  t.equal(written(), 'publish ./shop: packing\npublish ./shop: hashing\n')
})

t.test('on a terminal nothing is drawn for what takes less than a second', async (t) => {
  const { progress, written, pass } = progressOn({ isTTY: true })
  progress.show({ step: 'packing', done: 1, total: 10 })
  pass(999)
  progress.show({ step: 'packing', done: 9, total: 10 })
  progress.end()
  t.equal(written(), '')
})

t.test('on a terminal a bar shows how far it is, and goes away at the end', async (t) => {
  const { progress, written, pass } = progressOn({ isTTY: true, columns: 90 })
  pass(1000)
  progress.show({ step: 'hashing', done: 5 * 1024 * 1024, total: 20 * 1024 * 1024 })
  t.equal(written(), '\r\u001b[K[######------------------]  25 %  5.0 MiB of 20.0 MiB  publish ./shop: hashing')
  progress.show({ step: 'hashing', done: 6 * 1024 * 1024, total: 20 * 1024 * 1024 })
  t.equal(written(), '', 'not drawn again at once')
  pass(100)
  progress.show({ step: 'hashing', done: 20 * 1024 * 1024, total: 20 * 1024 * 1024 })
  t.match(written(), '] 100 %  20.0 MiB of 20.0 MiB')
  progress.end()
  t.equal(written(), '\r\u001b[K')
})

t.test('a bar never fills the last column, where terminals wrap', async (t) => {
  const { progress, written, pass } = progressOn({ isTTY: true, columns: 30 })
  pass(1000)
  progress.show({ step: 'hashing', done: 1, total: 2 })
  t.equal(written().replace('\r\u001b[K', '').length, 29)
})

function progressOn({ isTTY, columns = 80 }: { isTTY: boolean; columns?: number }) {
  let text = ''
  let nowMs = 5000
  const screen = {
    isTTY,
    columns,
    write: (more: string) => {
      text += more
    },
  }
  return {
    progress: createProgress('publish ./shop', { screen, clock: { monotonicMs: () => nowMs } }),
    pass: (ms: number) => {
      nowMs += ms
    },
    /** Since the last call. */
    written: () => {
      const since = text
      text = ''
      return since
    },
  }
}
