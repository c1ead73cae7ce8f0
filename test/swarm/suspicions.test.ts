// A wrong piece: rot or attack.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createDoubts, storeWithout } from '../../src/swarm/engine/verdicts/doubts.ts'
import { createSuspicions } from '../../src/swarm/engine/verdicts/suspicions.ts'
import { createAllowances } from '../../src/work/allowances.ts'
import { handClock } from '../tracker/hand-clock.ts'

t.test('the second wrong copy of a piece is an attack, and the first is not', async (t) => {
  const suspicions = createSuspicions()
  t.equal(suspicions.isAttack('a', 3), false)
  t.equal(suspicions.isAttack('a', 4), false, 'another piece of the same disk')
  t.equal(suspicions.isAttack('b', 3), false, 'another node')
  t.equal(suspicions.isAttack('a', 3), true)
})

t.test('who concedes that a piece is damaged starts anew, and not for ever', async (t) => {
  const suspicions = createSuspicions()
  suspicions.isAttack('a', 3)
  suspicions.conceded('a', (piece) => piece !== 3)
  t.equal(suspicions.isAttack('a', 3), false)
  let conceded = 0
  for (; !suspicions.isAttack('a', 3); conceded += 1) suspicions.conceded('a', () => false)
  t.ok(conceded <= limits.wrongPiecesMax, `${conceded}`)
})

t.test('a doubted piece is given to nobody until it is found right', async (t) => {
  const found = new Map([
    [1, Promise.withResolvers<boolean>()],
    [2, Promise.withResolvers<boolean>()],
  ])
  const damaged: number[] = []
  let looks = 0
  const doubts = createDoubts({
    clock: { monotonicMs: () => 0 },
    has: (piece) => piece < 3,
    isRight: (piece) => {
      looks += 1
      return found.get(piece)?.promise ?? Promise.resolve(true)
    },
    mayTell: () => true,
    onDamaged: (piece) => damaged.push(piece),
    onError: (error) => t.fail(error.message),
  })
  const given: number[] = []
  const store = storeWithout(doubts, { get: (piece) => given.push(piece) })
  for (const piece of [1, 2, 2, 7]) doubts.onTold(piece, 'a')
  t.equal(looks, 2, 'each is looked at once, and only what is here')
  for (const piece of [0, 1, 2]) store.get(piece, null, () => {})
  t.same(given, [0])
  found.get(1)?.resolve(true)
  found.get(2)?.resolve(false)
  await doubts.doubt(2)
  t.same(given, [0, 1])
  t.same(damaged, [2])
  doubts.onTold(1, 'a')
  t.equal(looks, 2, 'a liar has nothing read again and again')
})

t.test('words about wrong pieces are counted by node, over all payloads, and leave room for others', async (t) => {
  const clock = handClock()
  const { take } = createAllowances({
    ...{ monotonicMs: clock.monotonicMs, kept: limits.bannedKnownMax },
    ...{ max: limits.doubtsPerNodeMax, everyMs: limits.doubtsPerNodeEveryMs },
  })
  const read: string[] = []
  const payload = (name: string) =>
    createDoubts({
      ...{ clock, has: () => true, mayTell: take, onDamaged: () => {}, onError: () => {} },
      isRight: async (piece) => {
        read.push(`${name} ${piece}`)
        // The disk is slow: nothing is found out meanwhile.
        return new Promise(() => {})
      },
    })
  const doubts = [payload('one'), payload('two')]
  for (let piece = 0; piece < 1000; piece += 1) for (const each of doubts) each.onTold(piece, 'liar')
  t.equal(read.length, limits.doubtsPerNodeMax)
  doubts[0]?.onTold(999, 'honest')
  t.equal(read.at(-1), 'one 999')
  clock.pass(limits.doubtsPerNodeEveryMs)
  for (let piece = 500; piece < 600; piece += 1) doubts[1]?.onTold(piece, 'liar')
  t.equal(read.length, limits.doubtsPerNodeMax + 2, 'one more after a while')
  doubts[1]?.onUnread(700)
  t.equal(read.at(-1), 'two 700', 'what the disk says is no word of a node')
})
