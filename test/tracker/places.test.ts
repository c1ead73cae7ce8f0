import * as fc from 'fast-check'
import t from 'tap'
import { isPrivate, isReachable, plainAddress } from '../../src/model/address.ts'
import { limits } from '../../src/model/limits.ts'
import { type Placed, placesFor, usefulAddresses } from '../../src/tracker/places.ts'

const placed = (address: string, ...ownAddresses: string[]): Placed => ({ address, site: 'berlin', ownAddresses })
const outside = '203.0.113.7'

t.test('behind one translation, own addresses come first, those of the same network before others', async (t) => {
  const from = placed(outside, '10.1.0.5')
  t.same(placesFor(from, placed(outside, '192.168.3.4', '10.1.0.6')), ['10.1.0.6', '192.168.3.4', outside])
  t.same(placesFor(from, placed(outside)), [outside], 'one that tells nothing is dialled where it is seen')
})

t.test('a sibling that is seen elsewhere is dialled there first', async (t) => {
  const from = placed('198.51.100.1', '10.1.0.5')
  t.same(placesFor(from, placed(outside, '10.2.0.6')), [outside, '10.2.0.6'])
})

t.test('nobody is sent to an address that both have, or to one of a stranger', async (t) => {
  const from = placed(outside, '172.17.0.1', '10.1.0.5', '2001:db8:1:1::5')
  const to = placed(outside, '172.17.0.1', '198.51.100.80', '2001:db8:9:9::6', '2001:db8:1:1::6', '203.0.113.9')
  t.same(placesFor(from, to), ['2001:db8:1:1::6', '203.0.113.9', outside])
})

t.test('at another site a child is dialled where it is seen, and nowhere else', async (t) => {
  const elsewhere = { ...placed('198.51.100.1', '10.1.0.6'), site: 'rome' }
  t.same(placesFor(placed(outside, '10.1.0.5'), elsewhere), ['198.51.100.1'])
})

t.test('what a child tells is bounded, and holds nothing that no other machine can reach', async (t) => {
  const told = [
    '::ffff:10.0.0.1',
    '10.0.0.1',
    '127.0.0.1',
    '0.0.0.0',
    '224.0.0.1',
    'ff02::1',
    'fe80::1',
    '::1',
    outside,
  ]
  t.same(usefulAddresses(told, outside), ['10.0.0.1'])
  const address = fc.oneof(fc.ipV4(), fc.ipV6()).map(plainAddress)
  fc.assert(
    fc.property(fc.array(address, { maxLength: 20 }), address, address, (told, seen, caller) => {
      const useful = usefulAddresses(told, seen)
      const places = placesFor(placed(caller, '10.1.0.5'), placed(seen, ...useful))
      return (
        useful.length <= limits.ownAddressesMax &&
        useful.every(isReachable) &&
        places.length <= limits.placesPerPeerMax &&
        new Set(places).size === places.length &&
        places.includes(seen)
      )
    }),
  )
})

t.test('private networks are told from others', async (t) => {
  const cases: [string, boolean][] = [
    ['10.0.0.1', true],
    ['172.16.0.1', true],
    ['172.32.0.1', false],
    ['192.168.9.9', true],
    ['192.169.0.1', false],
    ['100.64.0.1', true],
    ['100.128.0.1', false],
    ['fd00::1', true],
    ['fc00::1', true],
    ['fe80::1', false],
    ['2001:db8::1', false],
    ['fc::1', false],
  ]
  for (const [address, isOne] of cases) t.equal(isPrivate(address), isOne, address)
})
