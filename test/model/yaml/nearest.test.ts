// The word that somebody probably meant.

import fc from 'fast-check'
import t from 'tap'
import { didYouMean, nearestTo } from '../../../src/model/yaml/nearest.ts'

t.test('a slip of the fingers finds the word that was meant', async (t) => {
  const words = ['rules', 'groups', 'shop', 'greeter', '4.10', 'nodes']
  for (const [typed, meant] of [
    ['rulez', 'rules'],
    ['node', 'nodes'],
    ['grops', 'groups'],
    ['hsop', 'shop'],
    ['SHOP', 'shop'],
    ['greter', 'greeter'],
    ['4.1', '4.10'],
  ] as const) {
    t.equal(nearestTo(typed, words), meant, typed)
  }
})

t.test('another word is no slip', async (t) => {
  t.equal(nearestTo('telnetd', ['openssl', 'shop']), undefined)
  t.equal(nearestTo('a', ['bcd']), undefined)
  t.equal(nearestTo('', []), undefined)
  t.equal(didYouMean('telnetd', ['openssl']), undefined)
  t.equal(didYouMean('opensl', ['openssl']), 'did you mean openssl?')
})

t.test('a word that is there is nearest to itself', async () => {
  const word = fc.string({ minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(
      fc.array(word),
      word,
      (others, mine) => nearestTo(mine, [...others, mine])?.toLowerCase() === mine.toLowerCase(),
    ),
  )
})
