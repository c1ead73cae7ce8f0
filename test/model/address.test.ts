import * as fc from 'fast-check'
import t from 'tap'
import * as v from 'valibot'
import { plainAddress, scopeOf, siteOf } from '../../src/model/address.ts'
import { wordSchema } from '../../src/model/names.ts'

t.test('a site is the /24 or the /64 of an address', async (t) => {
  const cases: [string, string][] = [
    ['10.1.2.3', '10.1.2.0/24'],
    ['127.0.0.1', '127.0.0.0/24'],
    ['2001:db8:0:1::7', '2001-db8-0-1/64'],
    ['2001:0db8:0000:0001:0000:0000:0000:0008', '2001-db8-0-1/64'],
    ['2001:DB8::1', '2001-db8-0-0/64'],
    ['64:ff9b::192.0.2.1', '64-ff9b-0-0/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1-2-3-4/64'],
    ['::1', '0-0-0-0/64'],
    ['2001:db8:1:2:3:4:5::', '2001-db8-1-2/64'],
  ]
  for (const [address, site] of cases) t.equal(siteOf(address), site, address)
})

t.test('every address has a site that is a word, shared with its neighbours', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const plain = plainAddress(address)
      v.parse(wordSchema, siteOf(plain))
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }), (groups) => {
      const hex = groups.map((group) => group.toString(16))
      const neighbour = [...hex.slice(0, 4), '0', '0', '0', '1'].join(':')
      return siteOf(hex.join(':')) === siteOf(neighbour)
    }),
  )
})

t.test('an IPv4 address stays one when it comes in over IPv6, and a zone means nothing to others', async (t) => {
  t.equal(plainAddress('::ffff:10.1.2.3'), '10.1.2.3')
  t.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
  t.throws(() => plainAddress('localhost'), { name: 'AssertionError' })
})

t.test('how far an address reaches', async (t) => {
  for (const address of ['127.0.0.1', '127.8.9.1', '::1']) t.equal(scopeOf(address), 'machine', address)
  for (const address of ['169.254.1.1', 'fe80::1', 'febf::1']) t.equal(scopeOf(address), 'link', address)
  for (const address of ['10.0.0.1', '192.0.2.1', '2001:db8::1', 'fec0::1']) t.equal(scopeOf(address), 'wide', address)
})
