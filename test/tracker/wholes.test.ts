import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { AnnouncedWhole } from '../../src/model/wire/announce.ts'
import { packed, setDigest } from '../../src/model/wire/packed.ts'
import { createWholes } from '../../src/tracker/wholes.ts'
import { announceOf, infoHashOf, manifestOf, peersIn, siblingsIn, subtree, swarmOf } from './subtree.ts'

const allOf = (...indexes: number[]): AnnouncedWhole => {
  const infoHashes = indexes.map(infoHashOf)
  return { digest: setDigest(infoHashes), listed: 'all', infoHashes: packed(infoHashes), gone: '' }
}
const unchanged = (...indexes: number[]): AnnouncedWhole => ({
  ...{ digest: setDigest(indexes.map(infoHashOf)), listed: 'changes', infoHashes: '', gone: '' },
})

t.test('who has a payload whole is found by one that lacks it, without naming it again', async (t) => {
  const { announce } = subtree()
  t.equal(announce('a', announceOf([], { whole: allOf(1, 2, 3) })).tellAll, undefined)
  t.equal(announce('a', announceOf([], { whole: unchanged(1, 2, 3) })).tellAll, undefined)
  t.same(siblingsIn(announce('b', announceOf([swarmOf(2, 'none')])), 2), ['a'])
  t.same(siblingsIn(announce('c', announceOf([swarmOf(4, 'none')])), 4), [])
})

t.test('a tracker that does not know what a child has asks for all of it, once', async (t) => {
  const { announce } = subtree()
  t.equal(announce('a', announceOf([], { whole: unchanged(1) })).tellAll, true)
  t.equal(announce('a', announceOf([], { whole: allOf(1) })).tellAll, undefined)
  t.same(siblingsIn(announce('b', announceOf([swarmOf(1, 'some')])), 1), ['a'])
  t.equal(announce('n', announceOf([], { whole: unchanged() })).tellAll, undefined, 'nothing needs no telling')
})

t.test('changes are taken in, also twice, and what is gone is not handed out', async (t) => {
  const { announce } = subtree()
  announce('a', announceOf([], { whole: allOf(1, 2) }))
  const change: AnnouncedWhole = {
    ...{ digest: setDigest([2, 3].map(infoHashOf)), listed: 'changes' },
    ...{ infoHashes: packed([infoHashOf(3)]), gone: packed([infoHashOf(1)]) },
  }
  for (const _ of [1, 2]) t.equal(announce('a', announceOf([], { whole: change })).tellAll, undefined)
  const handout = announce('b', announceOf([1, 2, 3].map((index) => swarmOf(index, 'none'))))
  t.same(
    [1, 2, 3].map((index) => siblingsIn(handout, index)),
    [[], ['a'], ['a']],
  )
})

t.test('a payload that only the parent lacks is fed by the child that has it whole', async (t) => {
  const { announce } = subtree({
    holds: (infoHash) => (infoHash === infoHashOf(7) ? 'none' : 'all'),
    lacks: () => [{ infoHash: infoHashOf(7), manifest: manifestOf(7) }],
  })
  const handout = announce('a', announceOf([], { whole: allOf(7, 8) }))
  t.equal(peersIn(handout, 7, 'parent').length, 1)
  t.same(Object.keys(handout.swarms), [infoHashOf(7)])
})

t.test('a child that has fallen silent is handed out no longer', async (t) => {
  const { announce, clock } = subtree()
  announce('a', announceOf([], { whole: allOf(1) }))
  t.same(siblingsIn(announce('b', announceOf([swarmOf(1, 'none')])), 1), ['a'])
  clock.pass(limits.peerForgottenAfterMs)
  t.same(siblingsIn(announce('b', announceOf([swarmOf(1, 'none')])), 1), [])
  t.equal(announce('a', announceOf([], { whole: unchanged(1) })).tellAll, true)
})

t.test('of more payloads than there is room for nobody is asked again and again', async (t) => {
  const wholes = createWholes()
  const held = (node: string, from: number) => many(from).filter((index) => wholes.has(node, infoHashOf(index))).length
  const many = (from: number) => Array.from({ length: limits.announceSwarmsMax }, (_, index) => from + index)
  for (const from of [0, 1, 2].map((each) => each * limits.announceSwarmsMax)) {
    t.equal(wholes.take(`n${from}`, allOf(...many(from))), true)
    t.equal(wholes.take(`n${from}`, unchanged(...many(from))), true)
  }
  const counts = [0, 1, 2].map((each) => each * limits.announceSwarmsMax).map((from) => held(`n${from}`, from))
  t.equal(
    counts.reduce((sum, each) => sum + each, 0),
    limits.trackerWholesMax,
  )
  wholes.forget('n0')
  t.equal(wholes.take('late', allOf(...many(limits.trackerWholesMax * 2))), true)
  t.equal(held('late', limits.trackerWholesMax * 2), limits.announceSwarmsMax, 'room that is given back is used again')
})

t.test('one child takes its own room and not that of others', async (t) => {
  const wholes = createWholes()
  const many = (from: number) => Array.from({ length: limits.announceSwarmsMax }, (_, index) => from + index)
  t.ok(wholes.take('liar', allOf(...many(0))))
  for (const from of [1, 2].map((part) => part * limits.announceSwarmsMax)) {
    wholes.take('liar', { ...allOf(...many(from)), listed: 'changes' })
  }
  t.ok(wholes.isOverRoom('liar'))
  t.notOk(wholes.has('liar', infoHashOf(limits.trackerWholesOfNodeMax)))
  t.ok(wholes.take('honest', allOf(999_999)))
  t.ok(wholes.has('honest', infoHashOf(999_999)))
  t.notOk(wholes.isOverRoom('honest'))
})
