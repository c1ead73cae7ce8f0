// What `banyan apply` is told line by line.

import t from 'tap'
import { lineHandlers } from '../../src/node/local-lines.ts'
import { initialState, type State } from '../../src/node/state/state.ts'

t.test('an apply that could not look at the machine fails, whatever was seen before', async (t) => {
  const plan = { schema: 1 as const, revision: 7, digest: 'a'.repeat(64), actions: [], waiting: [] }
  const body = { schema: 1 as const, number: 7, released: 1, message: '', groups: {}, rules: [] }
  const state: State = {
    ...initialState({ name: 'n', labels: {}, site: null, isRoot: true, checkIntervalMs: 1000 }),
    revision: { digest: 'a'.repeat(64), body, named: new Set() },
    seen: { revision: 7, differences: [], plan },
  }
  const linesWith = async (problems: State['problems']) => {
    const node = { state: () => ({ ...state, problems }), applyNow: async () => {}, onChange: () => () => {} }
    const lines: unknown[] = []
    const parts = { node, clock: null, plain: null, root: null } as never
    const asked = { signal: new AbortController().signal } as never
    for await (const line of lineHandlers(parts)['POST /apply'](asked)) lines.push(line)
    return lines
  }
  t.match((await linesWith({})).at(-1), { outcomes: [] })
  await t.rejects(linesWith({ inspect: 'the disk does not answer' }), {
    code: 'program-failed',
    message: 'this machine could not be looked at: the disk does not answer',
  })
})
