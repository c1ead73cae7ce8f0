import * as fc from 'fast-check'
import t from 'tap'
import { areApart, circlesOf, inCircles, type Reaching } from '../../src/tracker/circles.ts'
import { noState } from '../../src/tracker/gateways.ts'

const child = (node: string, ...unreached: string[]): Reaching => ({
  ...{ node, unreached: new Set(unreached), isAlone: false },
})
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
