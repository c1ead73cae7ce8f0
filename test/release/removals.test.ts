// How many package installations a release would remove.

import t from 'tap'
import type { Report } from '../../src/model/report.ts'
import type { Revision } from '../../src/model/revision.ts'
import { checkRemovals, removalsOf } from '../../src/release/removals.ts'

const build = { version: '1.0', manifest: 'a'.repeat(64) }

function revisionWith(packages: Revision['rules'][number]['packages']): Revision {
  const rules = [{ line: 1, nodes: 'all' as const, except: [], packages }]
  return { schema: 1, number: 2, released: 0, message: '', groups: {}, rules }
}

function reportOf(node: string, names: string[]): Report {
  const packages = names.map((name) => ({
    name,
    kind: 'tree' as const,
    outcome: 'kept' as const,
    version: '1.0',
    before: '1.0',
    difference: null,
  }))
  return { node, site: 'berlin', arch: 'amd64', labels: {}, facts: {}, packages } as unknown as Report
}

const present = (...names: string[]) =>
  revisionWith(Object.fromEntries(names.map((name) => [name, { state: 'present' as const, builds: { all: build } }])))

t.test('installations are counted, not packages', async (t) => {
  const reports = [reportOf('n1', ['shop', 'atlas']), reportOf('n2', ['shop', 'atlas'])]
  t.match(removalsOf(present('shop'), reports), { installed: 4, removed: 2, examples: ['atlas on 2 nodes'] })
})

t.test('an empty policy does not mean "remove everything" by accident', async (t) => {
  const removals = removalsOf(revisionWith({}), [reportOf('n1', ['shop'])])
  t.throws(() => checkRemovals(removals, false), { code: 'would-remove-too-much', message: /1 of 1.*shop on 1 node/ })
  t.doesNotThrow(() => checkRemovals(removals, true))
})

t.test('up to a fifth may go without asking, and what is absent anyway counts nothing', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e']
  t.doesNotThrow(() => checkRemovals(removalsOf(present('a', 'b', 'c', 'd'), [reportOf('n1', names)]), false))
  t.throws(() => checkRemovals(removalsOf(present('a', 'b', 'c'), [reportOf('n1', names)]), false), {
    code: 'would-remove-too-much',
  })
  t.doesNotThrow(() => checkRemovals(removalsOf(revisionWith({ gone: { state: 'absent' } }), []), false))
})
