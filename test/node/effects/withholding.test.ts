// When a parent without news is an attacker, and how long an attack is told.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Attack } from '../../../src/model/report.ts'
import { createWithholding } from '../../../src/node/effects/withholding.ts'
import { attacksAfter, attacksStanding } from '../../../src/node/state/attacks.ts'
import { isCutOff } from '../../../src/node/state/in-force.ts'

const now = 1_800_000_000_000
const hourMs = 3600_000
const ended = { detail: 'timestamp.json ended', saidCutOff: false }
const newer = (signedAt: number) => ({ signedAt, timestampVersion: 9 })
const suspecting = () => createWithholding({ now: () => now })

t.test('a parent that offered what has ended withheld what another parent had by then', async (t) => {
  const withholding = suspecting()
  withholding.offeredOld('mallory', ended)
  t.match(withholding.offeredNew('honest', newer(now - hourMs)), [
    { kind: 'frozen', from: 'mallory', detail: /timestamp\.json ended; honest has timestamp 9, signed at/ },
  ])
  t.same(withholding.offeredNew('honest', newer(now - hourMs)), [], 'and is told once')
})

t.test('nothing newer is not an attack', async (t) => {
  const cases = {
    'nobody has anything newer': (one: ReturnType<typeof suspecting>) => one.offeredNew('mallory', newer(now + 1)),
    'the same parent has it later': (one: ReturnType<typeof suspecting>) =>
      one.offeredNew('mallory', newer(now - hourMs)),
    'the news was on its way': (one: ReturnType<typeof suspecting>) => one.offeredNew('honest', newer(now - 1000)),
    'it was signed after that': (one: ReturnType<typeof suspecting>) => one.offeredNew('honest', newer(now + hourMs)),
  }
  for (const [what, offer] of Object.entries(cases)) {
    const withholding = suspecting()
    withholding.offeredOld('mallory', ended)
    t.same(offer(withholding), [], what)
  }
  const withholding = suspecting()
  withholding.offeredOld('staging', ended)
  withholding.offeredOld('staging', { ...ended, saidCutOff: true })
  t.same(withholding.offeredNew('root', newer(now - hourMs)), [], 'a parent that says that it is cut off is an island')
})

t.test('a node knows that it is cut off', async (t) => {
  const trusted = { expires: now } as Parameters<typeof isCutOff>[0]['trusted']
  const connected = { kind: 'connected', parent: 'root' } as const
  t.equal(isCutOff({ link: connected, trusted }, now - 1), false)
  t.equal(isCutOff({ link: connected, trusted }, now), true, 'its own parent may be an island')
  t.equal(isCutOff({ link: { kind: 'island', since: now, because: '' }, trusted }, now - 1), true)
  t.equal(isCutOff({ link: { kind: 'root' }, trusted: null }, now), false)
})

const attack: Attack = { kind: 'stranger', from: '10.0.0.9', at: now, detail: 'no certificate' }

t.test('an attack says when it was seen first and last, and how often it was noted', async (t) => {
  const again = (after: Attack[], at: number) => attacksAfter(after, { ...attack, at })
  const once = again([], now)
  t.equal(again(once, now + 1000), once, 'at most once in a heartbeat')
  const twice = again(once, now + limits.heartbeatMs)
  t.same(twice, [{ ...attack, at: now + limits.heartbeatMs, first: now, count: 2 }])
  t.match(again(twice, now + 2 * limits.heartbeatMs), [{ first: now, count: 3 }])
})

t.test('an attack ages out, and is told no more once a person has looked at it', async (t) => {
  t.same(attacksStanding([attack], now + limits.attackKeptMs, 0), [attack])
  t.same(attacksStanding([attack], now + limits.attackKeptMs + 1, 0), [])
  t.same(attacksStanding([attack], now, now), [], 'looked at')
  t.same(attacksStanding([{ ...attack, at: now + 1 }], now + 1, now), [{ ...attack, at: now + 1 }], 'seen again')
})
