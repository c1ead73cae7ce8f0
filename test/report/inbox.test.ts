import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import type { Knowledge } from '../../src/model/knowledge.ts'
import { limits } from '../../src/model/limits.ts'
import type { Report } from '../../src/model/report.ts'
import { type Inbox, openInbox } from '../../src/report/inbox.ts'
import { conditionOf } from '../../src/report/summary.ts'
import type { Store } from '../../src/world/world.ts'
import {
  batchOf,
  batchWith,
  certificateOf,
  clockAt,
  forged,
  machine,
  outcomeOf,
  reportOf,
  sealed,
  verify,
} from './reports.ts'

const now = 1_800_000_100_000

function inboxOn(store: Store, check = verify): Promise<Inbox> {
  return openInbox({ store, verify: check, clock: clockAt(now), maxFutureMs: 60_000 })
}

const emptyInbox = async () => inboxOn(await machine().store())

t.test('the newest report of a node is known, whole and as its node signed it', async (t) => {
  const inbox = await emptyInbox()
  const report = reportOf('x', 7, { packages: [outcomeOf('curl', { outcome: 'failed', difference: 'drift' })] })
  const { accepted, passUp, attacks, refused } = await inbox.accept(batchWith(report), 'a')
  t.same([accepted, attacks, refused], [['x'], [], []])
  const signed = { node: 'x', counter: 7, envelope: sealed(report, 'x'), certificate: certificateOf('x') }
  t.same(passUp, [signed])
  t.same(await inbox.signed('x'), signed)
  t.same(await inbox.report('x'), report)
  t.match(inbox.knowledgeOf('x'), {
    node: 'x',
    counter: 7,
    via: 'a',
    receivedAt: now,
    at: report.at,
    failed: 1,
    drifted: 1,
  })
  t.same(inbox.knowledge(), [inbox.knowledgeOf('x')])
  t.same(await Array.fromAsync(inbox.reports()), [report])
})

t.test('nothing is known of a node that never reported', async (t) => {
  const inbox = await emptyInbox()
  t.equal(inbox.knowledgeOf('x'), undefined)
  t.equal(await inbox.report('x'), undefined)
  t.equal(await inbox.signed('x'), undefined)
})

t.test('a forged report changes nothing, and the child that handed it over is named', async (t) => {
  const inbox = await emptyInbox()
  const genuine = reportOf('x', 1)
  const { accepted, passUp, attacks } = await inbox.accept(
    batchOf(forged(sealed(reportOf('x', 9), 'x')), sealed(genuine, 'x'), sealed(reportOf('y', 9), 'x')),
    'a',
  )
  t.same(accepted, ['x'])
  t.equal(passUp.length, 1)
  t.same(attacks, [
    { kind: 'report-forged', from: 'a', at: now, detail: 'signature of x does not hold, and 1 more in one batch' },
  ])
  t.same(await inbox.report('x'), genuine)
  t.equal(inbox.knowledgeOf('y'), undefined)
})

t.test('a replayed report changes nothing, and the child that handed it over is named', async (t) => {
  const inbox = await emptyInbox()
  await inbox.accept(batchWith(reportOf('x', 5)), 'a')
  const { accepted, passUp, attacks } = await inbox.accept(batchWith(reportOf('x', 4)), 'a')
  t.same([accepted, passUp], [[], []])
  t.same(attacks, [{ kind: 'report-replayed', from: 'a', at: now, detail: 'report 4 of x is not newer than 5' }])
  t.equal(inbox.knowledgeOf('x')?.counter, 5)
})

t.test('a counter that fell because a disk was put back is refused with the reason, and is no attack', async (t) => {
  const inbox = await emptyInbox()
  await inbox.accept(batchWith(reportOf('x', 50, { at: now - 1000 })), 'a')
  const { accepted, attacks, refused } = await inbox.accept(batchWith(reportOf('x', 40, { at: now - 10 })), 'a')
  t.same([accepted, attacks], [[], []])
  t.match(refused, [{ node: 'x', reason: /counter fell from 50 to 40/, retry: 'later' }])
  t.equal((await inbox.accept(batchWith(reportOf('x', 50, { at: now - 1000 })), 'a')).attacks.length, 0)
  t.equal((await inbox.accept(batchWith(reportOf('x', 51, { at: now })), 'a')).accepted.length, 1, 'until it is above')
})

t.test("a report that waited in a dead staging server while its node moved on is nobody's attack", async (t) => {
  const inbox = await emptyInbox()
  await inbox.accept(batchWith(reportOf('x', 5, { parent: 'b' })), 'b')
  const { accepted, attacks } = await inbox.accept(batchWith(reportOf('x', 4, { parent: 'a' })), 'a')
  t.same([accepted, attacks], [[], []])
})

t.test('a report that is known already goes up again, in case it got no further the first time', async (t) => {
  const inbox = await emptyInbox()
  const batch = batchWith(reportOf('x', 5))
  const first = await inbox.accept(batch, 'a')
  const second = await inbox.accept(batch, 'a')
  t.same(second, { accepted: [], passUp: first.passUp, attacks: [], refused: [] })
})

t.test('what is genuine and yet nothing to keep is refused, and is no attack', async (t) => {
  const early = new Failure('expired', 'certificate of z has ended')
  const inbox = await inboxOn(await machine().store(), (envelope, certificates) => {
    if (envelope.signatures[0]?.keyid === 'z') throw early
    return verify(envelope, certificates)
  })
  const { accepted, attacks, refused } = await inbox.accept(
    batchOf(
      sealed(reportOf('ahead', 1, { at: now + 60_001 }), 'ahead'),
      sealed(reportOf('just', 1, { at: now + 60_000 }), 'just'),
      sealed({ schema: 2 }, 'modern'),
      sealed(reportOf('z', 1), 'z'),
    ),
    'a',
  )
  t.same(accepted, ['just'])
  t.same(attacks, [])
  t.match(refused, [
    { index: 0, node: 'ahead', reason: 'its clock is 60 s ahead of the clock that it reports to', retry: 'later' },
    { index: 2, node: 'modern', reason: /^report of modern: /, retry: 'later' },
    { index: 3, node: null, reason: 'certificate of z has ended', retry: 'never' },
  ])
})

t.test('a mistake of our own in checking is not taken for an attack', async (t) => {
  const inbox = await inboxOn(await machine().store(), () => {
    throw new TypeError('a mistake')
  })
  await t.rejects(inbox.accept(batchWith(reportOf('x', 1)), 'a'), { name: 'TypeError' })
})

t.test('a flood of forgeries is one attack of each kind, so that it washes out nothing else', async (t) => {
  const inbox = await emptyInbox()
  await inbox.accept(batchWith(reportOf('x', 5)), 'a')
  const flood = Array.from({ length: limits.reportBatchMax - 2 }, (_, n) =>
    forged(sealed(reportOf(`n${n}`, 1), `n${n}`)),
  )
  const replays = [sealed(reportOf('x', 3), 'x'), sealed(reportOf('x', 4), 'x')]
  const { attacks } = await inbox.accept(batchOf(...flood, ...replays), 'a')
  t.same(attacks, [
    { kind: 'report-forged', from: 'a', at: now, detail: 'signature of n0 does not hold, and 497 more in one batch' },
    {
      kind: 'report-replayed',
      from: 'a',
      at: now,
      detail: 'report 3 of x is not newer than 5, and 1 more in one batch',
    },
  ])
})

t.test('what was accepted outlasts a crash', async (t) => {
  const { store, crash } = machine()
  const inbox = await inboxOn(await store())
  await inbox.accept(batchWith(reportOf('x', 5), reportOf('y', 1)), 'a')
  const known = inbox.knowledge()
  const later = await inboxOn(await crash())
  t.same(later.knowledge(), known)
  t.same(await later.report('x'), reportOf('x', 5))
  const { attacks } = await later.accept(batchWith(reportOf('x', 4)), 'a')
  t.equal(attacks[0]?.kind, 'report-replayed')
})

t.test('what could not be stored is not known', async (t) => {
  const { store, node } = machine()
  const inbox = await inboxOn(await store())
  node.storage.fill()
  await t.rejects(inbox.accept(batchWith(reportOf('x', 5)), 'a'), { code: 'no-space' })
  t.same(inbox.knowledge(), [])
  node.storage.freeUp()
  t.same((await inbox.accept(batchWith(reportOf('x', 5)), 'a')).accepted, ['x'])
})

t.test('a node that is forgotten is as if it had never reported', async (t) => {
  const { store, crash } = machine()
  const inbox = await inboxOn(await store())
  await inbox.accept(batchWith(reportOf('x', 5)), 'a')
  await inbox.forget('x')
  t.same(inbox.knowledge(), [])
  t.same((await inboxOn(await crash())).knowledge(), [])
})

t.test('in whatever order and however often reports come, the newest of each node stays', async () => {
  const reports = fc.uniqueArray(
    fc.record({
      node: fc.constantFrom('x', 'y', 'z'),
      counter: fc.nat(9),
      state: fc.constantFrom('converged', 'failed'),
    }),
    { selector: ({ node, counter }) => `${node} ${counter}`, minLength: 1, maxLength: 20 },
  )
  const arrivals = reports.chain((all) =>
    fc.tuple(
      fc.constant(all),
      // Every one at least once, some again, shuffled, in batches, by different ways.
      fc.array(fc.constantFrom(...all), { maxLength: 20 }).chain((again) => {
        const pile = [...all, ...again]
        return fc.shuffledSubarray(pile, { minLength: pile.length, maxLength: pile.length })
      }),
      fc.infiniteStream(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom('a', 'b'))),
    ),
  )
  await fc.assert(
    fc.asyncProperty(arrivals, async ([all, pile, cuts]) => {
      const inbox = await emptyInbox()
      const rest = pile.map(({ node, counter, state }) => reportOf(node, counter, { state: state as Report['state'] }))
      const passed = new Map<string, number>()
      while (rest.length > 0) {
        const [count, from] = cuts.next().value as [number, string]
        const { passUp } = await inbox.accept(batchWith(...rest.splice(0, count)), from)
        assert.equal(new Set(passUp.map(({ node }) => node)).size, passUp.length)
        for (const { node, counter } of passUp) passed.set(node, Math.max(counter, passed.get(node) ?? 0))
      }
      const newest = new Map<string, { counter: number; state: string }>()
      for (const { node, counter, state } of all) {
        if (counter >= (newest.get(node)?.counter ?? 0)) newest.set(node, { counter, state })
      }
      assert.deepEqual(
        inbox.knowledge().map(({ node, counter, state }) => [node, { counter, state }]),
        [...newest].sort(),
      )
      for (const [node, { counter }] of newest) {
        assert.equal((await inbox.report(node))?.counter, counter)
        assert.equal(passed.get(node), counter)
      }
    }),
    { numRuns: 60 },
  )
})

t.test('what a damaged database has lost of silent nodes is known after the next restart too', async (t) => {
  const { store, crash } = machine()
  const opened = await store()
  const inbox = await inboxOn(opened)
  await inbox.accept(
    batchWith(reportOf('gist', 5), reportOf('report', 5), reportOf('both', 5), reportOf('again', 5)),
    'a',
  )
  const known = inbox.knowledge()
  const lost = ['knowledge/gist', 'signed/report', 'knowledge/both', 'signed/both', 'knowledge/again', 'signed/again']
  for (const key of lost) await opened.delete(key)

  // A child that sends all of its subtree again sends nothing that is new to the memory.
  await inbox.accept(batchWith(reportOf('again', 5)), 'a')
  t.same((await opened.get('knowledge/again')) !== undefined, true, 'the gist is stored again with the report')
  await inbox.recover({ now, admitted: async () => [] })
  const later = await inboxOn(await crash())
  t.same(later.knowledge(), known)
  t.equal((await later.report('again'))?.counter, 5)
})

t.test('at a start after damage nodes are known by their reports, and at a root by their names', async (t) => {
  const { store, crash } = machine()
  const opened = await store()
  const report = reportOf('gist', 5, { state: 'failed' })
  await (await inboxOn(opened)).accept(batchWith(report, reportOf('both', 5)), 'a')
  for (const key of ['knowledge/gist', 'knowledge/both', 'signed/both']) await opened.delete(key)

  const started = await inboxOn(await crash())
  const fleet = ['both', 'gist', 'never']
  await started.recover({ now, admitted: async (isKnown) => fleet.filter((node) => !isKnown(node)) })
  const known = started.knowledge()
  const inbox = await inboxOn(await crash())
  t.same(inbox.knowledge(), known)
  t.same(
    known.map(({ node }) => node),
    fleet,
  )
  t.match(inbox.knowledgeOf('gist'), { counter: 5, state: 'failed', at: report.at })
  t.equal(conditionOf(inbox.knowledgeOf('both') as Knowledge, now, 4), 'silent')
  t.same((await inbox.accept(batchWith(report), 'a')).attacks, [], 'the same report again is no replay')
  t.same((await inbox.accept(batchWith(reportOf('both', 5)), 'a')).accepted, ['both'])
  t.equal(conditionOf(inbox.knowledgeOf('both') as Knowledge, now, 4), 'converged')
})

t.test('a stored report that is not one is a failure with a name', async (t) => {
  const store = await machine().store()
  await store.put('signed/x', { node: 'x' })
  await t.rejects((await inboxOn(store)).report('x'), { code: 'bad-input' })
})
