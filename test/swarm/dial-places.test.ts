import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { dialPlaces } from '../../src/swarm/engine/dial-places.ts'
import { handClock } from '../tracker/hand-clock.ts'

interface Dial {
  address: string
  reach(): void
  fail(code: 'unreachable' | 'timed-out'): void
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

function stage(...addresses: string[]) {
  const clock = handClock()
  const dials: Dial[] = []
  const discarded: string[] = []
  const dial = (address: string) =>
    new Promise<string>((resolve, reject) => {
      const fail: Dial['fail'] = (code) => reject(new Failure(code, `${address} ${code}`))
      dials.push({ address, reach: () => resolve(address), fail })
    })
  const result = dialPlaces({ addresses, clock, dial, discard: (address) => void discarded.push(address) })
  return { clock, discarded, result, at: (index: number) => dials[index] as Dial, dialled: () => dials.map(addressOf) }
}

function addressOf({ address }: Dial): string {
  return address
}

t.test('the next address is dialled a moment later, and the quickest counts', async (t) => {
  const { clock, dialled, discarded, result, at } = stage('a', 'b', 'c')
  t.same(dialled(), ['a'])
  clock.pass(limits.nextPlaceMs)
  t.same(dialled(), ['a', 'b'])
  at(1).reach()
  t.equal(await result, 'b')
  clock.pass(limits.nextPlaceMs * 4)
  t.same(dialled(), ['a', 'b'], 'no further one is dialled')
  at(0).reach()
  await settle()
  t.same(discarded, ['a'], 'and what comes later is hung up on')
})

t.test('an address that fails is followed by the next at once', async (t) => {
  const { dialled, result, at } = stage('a', 'b')
  at(0).fail('unreachable')
  await settle()
  t.same(dialled(), ['a', 'b'])
  at(1).fail('unreachable')
  await t.rejects(result, { code: 'unreachable', message: 'a unreachable; b unreachable' })
})

t.test('a peer that was reached somewhere does not count as unreachable', async (t) => {
  const { result, at } = stage('a', 'b')
  at(0).fail('timed-out')
  await settle()
  at(1).fail('unreachable')
  await t.rejects(result, { code: 'timed-out' })
})
