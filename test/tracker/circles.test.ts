import * as fc from 'fast-check'
import t from 'tap'
import { areApart, circlesIn, groupingOf, inCircles, type Reaching } from '../../src/tracker/circles.ts'
import { noState } from '../../src/tracker/gateways.ts'
import { createTable } from '../../src/tracker/table.ts'
import { announceOf, swarmOf } from './subtree.ts'

const child = (node: string, ...unreached: string[]): Reaching => ({
  ...{ node, unreached: new Set(unreached), isAlone: false },
})
const circlesOf = (all: readonly Reaching[]) => circlesIn(all, groupingOf(all))
const namesOf = (circles: readonly (readonly Reaching[])[]) => circles.map((circle) => circle.map(({ node }) => node))

const children = fc
  .array(fc.record({ lists: fc.array(fc.nat(7), { maxLength: 8 }), isAlone: fc.boolean() }), { maxLength: 8 })
  .map((all) =>
    all.map(({ lists, isAlone }, index): Reaching => {
      const unreached = new Set(lists.map((each) => `n${each}`))
      return { node: `n${index}`, unreached, isAlone: isAlone && index % 3 === 0 }
    }),
  )

t.test('all children are in one circle until a dial has failed, and again when it has not', async (t) => {
  t.same(namesOf(circlesOf([child('a'), child('b'), child('c')])), [['a', 'b', 'c']])
  t.same(circlesOf([]), [])
  t.same(namesOf(circlesOf([child('a'), child('b', 'a'), child('c')])), [['a', 'b', 'c']], 'c is between them')
})

t.test('children that cannot reach each other are in circles of their own', async (t) => {
  const [a, b, c, d] = [child('a'), child('b', 'a'), child('c', 'a', 'b'), child('d', 'a', 'b')]
  t.same(namesOf(circlesOf([a, b, c, d])), [['a'], ['b'], ['c', 'd']])
  const alone = { ...child('e', 'x', 'y', 'z'), isAlone: true }
  t.same(namesOf(circlesOf([child('a'), alone, child('b')])), [['a', 'b'], ['e']])
})

t.test('every child is in one circle, circles are apart, and within one there is a way between any two', async () => {
  fc.assert(
    fc.property(children, (all) => {
      const circles = circlesOf(all)
      const namesIn = (some: readonly Reaching[]) =>
        some
          .map(({ node }) => node)
          .sort()
          .join()
      if (namesIn(circles.flat()) !== namesIn(all)) return false
      const areAll = circles.every((circle) =>
        circles.every((other) => circle === other || circle.every((one) => other.every((each) => areApart(one, each)))),
      )
      return areAll && circles.every(isConnected)
    }),
  )
})

t.test('a gateway stays gateway whatever circle it is in, and of joined circles all stay', async () => {
  fc.assert(
    fc.property(children, children, fc.array(fc.nat(7)), (before, after, chosen) => {
      const gateways = [...new Set(chosen)].map((index) => ({ node: `n${index}`, sinceMs: 0 }))
      const began = inCircles([], circlesOf(before)).map(({ nodes }) => {
        return { nodes, state: { ...noState, gateways: gateways.filter(({ node }) => nodes.has(node)) } }
      })
      const were = new Set(began.flatMap(({ state }) => state.gateways.map(({ node }) => node)))
      const circles = inCircles(began, circlesOf(after))
      return after.every(({ node }) => {
        const is = circles.filter(({ nodes, state }) => {
          return nodes.has(node) && state.gateways.some((gateway) => gateway.node === node)
        })
        return is.length === (were.has(node) ? 1 : 0)
      })
    }),
  )
})

function isConnected(circle: readonly Reaching[]): boolean {
  const reached = new Set(circle.slice(0, 1))
  for (const one of reached) for (const each of circle) if (one !== each && !areApart(one, each)) reached.add(each)
  return reached.size === circle.length
}

t.test('the work grows with the lists, and not with the pairs of children', async (t) => {
  const count = 2_500
  let reads = 0
  const counted = (unreachedOf: (index: number) => string[], isAlone: boolean) =>
    Array.from({ length: count }, (_, index): Reaching => {
      const unreached = new Set(unreachedOf(index))
      return {
        node: `n${index}`,
        get unreached() {
          reads += 1
          return unreached
        },
        get isAlone() {
          reads += 1
          return isAlone
        },
      }
    })
  const next = (index: number) => Array.from({ length: 64 }, (_, step) => `n${(index + 1 + step) % count}`)
  for (const all of [counted(() => [], true), counted(next, true), counted(next, false)]) {
    reads = 0
    const circles = circlesOf(all)
    t.ok(circles.length === 1 || circles.length === count, `${circles.length} circles`)
    t.ok(reads < count * 4 * 70, `${reads} reads`)
  }

  // Of one large circle become as many as children, and these are decided upon again.
  let walks = 0
  class Walked<K, V> extends Map<K, V> {
    override [Symbol.iterator]() {
      walks += 1
      return super[Symbol.iterator]()
    }
  }
  const alone = circlesOf(counted(() => [], true))
  const nodes = new Set(alone.flat().map(({ node }) => node))
  const behind = new Walked([...nodes].map((node) => [node, { bytes: 0, sinceMs: 7 }]))
  const split = inCircles([{ nodes, state: { ...noState, behind } }], alone)
  t.ok(walks < 5, `all is read ${walks} times`)
  t.equal(split.length, count)
  t.same([...(split[9]?.state.behind ?? [])], [['n9', { bytes: 0, sinceMs: 7 }]])
  const again = inCircles(split, alone)
  t.ok(
    again.every(({ state }, place) => state === split[place]?.state),
    'what has not changed is not made anew',
  )
})

t.test('circles are decided anew only when somebody reaches others than before', async (t) => {
  const [a, b] = [child('a'), child('b', 'a')]
  const before = groupingOf([a, b])
  t.equal(groupingOf([{ ...a }, { ...b }], before), before)
  t.not(groupingOf([a, child('b')], before), before)
  t.not(groupingOf([a], before), before)
  t.not(groupingOf([a, { ...b, isAlone: true }], before), before)

  const table = createTable()
  const put = (unreached: string[]) => {
    const announce = announceOf([swarmOf(1, 'none')], { unreached })
    return table.put({ node: 'a', address: '10.0.0.1', announce }, { parentSite: 'x', nowMs: 0, draw: 0 }).unreached
  }
  const first = put(['b', 'c'])
  t.equal(put(['c', 'b']), first, 'an announce that says the same as the last one is no change')
  t.not(put(['c']), first)
})
