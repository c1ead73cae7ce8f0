// A node that reports another way leaves the list of the parent that it had.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { initialState } from '../../src/node/state/state.ts'
import { transition as ofNode } from '../../src/node/state/transition.ts'
import { openInbox } from '../../src/report/inbox.ts'
import { createMovements } from '../../src/report/moved.ts'
import { newHolding, transition } from '../../src/swarm/holdings/holding.ts'
import { batchWith, clockAt, machine, reportOf, verify } from './reports.ts'

const now = 1_800_000_000_000
const inbox = async () =>
  openInbox({ store: await machine().store(), verify, clock: clockAt(now), maxFutureMs: 600_000 })

t.test('the child that a node has left is told, and forgets it', async (t) => {
  const [root, old] = [await inbox(), await inbox()]
  await old.accept(batchWith(reportOf('x', 1), reportOf('y', 1)), 'x')
  await root.accept(batchWith(reportOf('x', 1), reportOf('y', 1)), 'old')
  await root.accept(batchWith(reportOf('x', 2)), 'new')
  const moved = root.awayFrom('old')
  t.same(moved, [{ node: 'x', counter: 2 }])
  t.same(root.awayFrom('new'), [])
  await old.left(moved)
  await old.left(moved)
  t.same(
    old.knowledge().map(({ node }) => node),
    ['y'],
  )
})

t.test('a node that has come back is not forgotten', async (t) => {
  const [root, old] = [await inbox(), await inbox()]
  await root.accept(batchWith(reportOf('x', 1)), 'old')
  await root.accept(batchWith(reportOf('x', 2)), 'new')
  const moved = root.awayFrom('old')
  await old.accept(batchWith(reportOf('x', 3)), 'x')
  await old.left(moved)
  t.equal(old.knowledgeOf('x')?.counter, 3, 'its newer report counts for more')
  await root.accept(batchWith(reportOf('x', 3)), 'old')
  t.same(root.awayFrom('old'), [])
  t.same(root.awayFrom('new'), [{ node: 'x', counter: 3 }])
})

t.test('those below are told too', async (t) => {
  const middle = await inbox()
  await middle.accept(batchWith(reportOf('x', 1)), 'lower')
  await middle.left([{ node: 'x', counter: 2 }])
  t.same(middle.awayFrom('lower'), [{ node: 'x', counter: 2 }])
})

t.test('who left is told for a week, and bounded', async (t) => {
  const movements = createMovements()
  for (let n = 0; n <= limits.movedToldMax; n += 1) movements.note({ node: `n${n}`, counter: 2 }, 'old', 'new', now)
  t.equal(movements.awayFrom('old', now).length, limits.movedToldMax)
  t.same(movements.awayFrom('old', now + limits.movedKeptMs + 1), [])
})

t.test('a transfer that waits for somebody who has the rest is reported at once', async (t) => {
  const payload = { via: 'swarm', sha256: 'a'.repeat(64), size: 10, infoHash: 'b'.repeat(40), pieceLength: 16_384 }
  const holding = newHolding({ payload, name: 'tool', version: '1.0' } as unknown as Parameters<typeof newHolding>[0])
  const [, effects] = transition(holding, { kind: 'reach', nobodyHas: true })
  const told = effects.flatMap((effect) => (effect.kind === 'notify' ? effect.event.kind : []))
  t.ok(told.includes('reach'))
  const state = initialState({ name: 'a', labels: {}, site: null, isRoot: false, checkIntervalMs: 1000 })
  t.same(ofNode(state, { kind: 'reach-changed' })[1], [{ kind: 'report' }])
})
