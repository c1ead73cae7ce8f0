import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Revision } from '../../../src/model/revision.ts'
import { createKeptRevisions } from '../../../src/node/disk/kept-revisions.ts'
import type { State } from '../../../src/node/state/state.ts'

t.test('the revision in force and a few before it are kept, the newest first', async (t) => {
  const { kept, comesInto, changes, stored } = stage()
  for (let number = 1; number <= limits.revisionsKept + 1; number += 1) {
    comesInto(number)
    await kept.manifests()
  }
  const newest = Array.from({ length: limits.revisionsKept }, (_, index) => digestOf(limits.revisionsKept + 1 - index))
  t.same([...(await kept.manifests()).keys()], newest)
  t.same(stored(), newest)
  t.equal(changes(), limits.revisionsKept + 1, 'each change of the list is told once')
})

t.test('a revision whose object is gone is left out', async (t) => {
  const { kept, comesInto } = stage()
  comesInto(1)
  await kept.manifests()
  const after = stage([digestOf(1)])
  after.comesInto(2)
  t.same([...(await after.kept.manifests()).keys()], [digestOf(2)])
})

t.test('two questions at the same time store the list once', async (t) => {
  const { kept, comesInto, changes } = stage()
  comesInto(1)
  await Promise.all([kept.manifests(), kept.manifests()])
  t.equal(changes(), 1)
})

function digestOf(number: number): string {
  return number.toString(16).padStart(64, '0')
}

/** A node without objects, that has stored these revisions. */
function stage(before: string[] = []) {
  let revision: State['revision'] = null
  let stored: unknown = before
  let changes = 0
  const kept = createKeptRevisions({
    store: {
      get: async () => stored,
      put: async (_, value) => {
        stored = value
      },
    },
    objects: { get: async () => undefined },
    state: () => ({ revision }),
    onChange: () => {
      changes += 1
    },
  })
  return {
    kept,
    changes: () => changes,
    stored: () => stored,
    comesInto(number: number) {
      revision = { digest: digestOf(number), body: { number } as Revision, named: new Set() }
    },
  }
}
