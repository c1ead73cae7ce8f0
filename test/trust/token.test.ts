// Join strings.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { identityOf } from '../../src/trust/identity.ts'
import { enrolmentTls, formatToken, parseToken } from '../../src/trust/token.ts'
import { acme, failureOf, start } from './acme.ts'

const hour = 3600_000
const parents = ['https://10.1.0.1:7420', 'https://[fd00::1]:7420']

t.test('a token says all that a joining machine needs', async (t) => {
  const root = await acme()
  await root.fleet.renewTimestamp()
  const text = await root.fleet.createToken({ ttlMs: hour, uses: 3, parents })
  const token = parseToken(` ${text}\n`, start)
  t.match(token, { fleet: 'acme', parents, timestampVersion: 2, issuedAt: start, expiresAt: start + hour })
  t.match(token.id, /^[0-9a-f]{16}$/)
  t.equal(formatToken(token), text)
  t.same(identityOf(token.certificate), { role: 'enrol', tokenId: token.id })
  t.match(enrolmentTls(token).key, /^-----BEGIN PRIVATE KEY/)
  t.ok(text.length < 1000, `${text.length} characters`)
})

t.test('no two tokens are alike', async (t) => {
  const root = await acme()
  const wish = { ttlMs: hour, uses: 1, parents }
  const [a, b] = [await root.fleet.createToken(wish), await root.fleet.createToken(wish)]
  t.not(parseToken(a, start).id, parseToken(b, start).id)
  t.notSame(parseToken(a, start).secret, parseToken(b, start).secret)
})

t.test('a token that cannot be is not made', async (t) => {
  const { fleet } = await acme()
  const wish = { ttlMs: hour, uses: 1, parents }
  const wrong = [
    { ttlMs: 0 },
    { ttlMs: Number.NaN },
    { uses: 0 },
    { uses: 1.5 },
    { uses: limits.tokenUsesMax + 1 },
    { parents: [] },
    { parents: Array.from({ length: limits.tokenParentsMax + 1 }, () => 'https://a:1') },
    { parents: ['http://a:1'] },
  ]
  for (const part of wrong) {
    t.equal((await failureOf(fleet.createToken({ ...wish, ...part }))).code, 'bad-input', JSON.stringify(part))
  }
})

t.test('what is no whole token is refused with a reason', async (t) => {
  const { fleet } = await acme()
  const text = await fleet.createToken({ ttlMs: hour, uses: 1, parents })
  const cases: [string, string, RegExp][] = [
    ['nothing', '', /not a token/],
    ['a word', 'hello', /not a token/],
    ['another version', text.replace('banyan1', 'banyan2'), /not a token/],
    ['the start alone', 'banyan1.', /not a token/],
    ['a space inside', `${text.slice(0, 99)} ${text.slice(99)}`, /not a token/],
    ['too long', text + 'A'.repeat(limits.tokenMaxChars), /not a token/],
    ['cut in the middle', text.slice(0, 400), /cut off/],
    ['cut at the end', text.slice(0, -4), /cut off/],
    ['garbage', `banyan1.${'garbage'.repeat(20)}`, /damaged/],
    ['two characters swapped', text.replace(/(.{60})(.)(.)/, '$1$3$2'), /damaged/],
  ]
  for (const [name, broken, message] of cases) {
    const failure = await failureOf(() => parseToken(broken, start))
    t.equal(failure.code, 'bad-input', name)
    t.match(failure.message, message, name)
    t.ok(failure.hint, name)
  }
})

t.test('no mistyped character goes unnoticed', async (t) => {
  const { fleet } = await acme()
  const text = await fleet.createToken({ ttlMs: hour, uses: 1, parents })
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const expected = parseToken(text, start)
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.constantFrom(...alphabet), async (place, character) => {
      const typed = text.slice(0, place) + character + text.slice(place + 1)
      if (typed === text) return
      try {
        // The last character of base64 has bits that mean nothing.
        t.same(parseToken(typed, start), expected)
      } catch (error) {
        t.match(error, { code: 'bad-input' })
      }
    }),
    { numRuns: 200 },
  )
})

t.test('a token whose parts do not belong together is refused', async (t) => {
  const [one, other] = [await acme(), await acme({ name: 'other' })]
  const wish = { ttlMs: hour, uses: 1, parents }
  const token = parseToken(await one.fleet.createToken(wish), start)
  const sibling = parseToken(await one.fleet.createToken(wish), start)
  const foreign = parseToken(await other.fleet.createToken(wish), start)
  const mixed = [
    { ...token, secret: sibling.secret },
    { ...token, certificate: sibling.certificate },
    { ...token, ca: foreign.ca },
    { ...token, certificate: foreign.certificate },
    { ...token, certificate: token.ca },
    { ...token, ca: token.certificate },
    { ...token, secret: token.secret.slice(1) },
    { ...token, ca: new Uint8Array(30) },
  ]
  for (const [n, parts] of mixed.entries()) {
    const failure = await failureOf(() => parseToken(formatToken(parts), start))
    t.match(failure, { code: 'bad-input', message: /contradicts itself/ }, `mix ${n}`)
  }
})

t.test('a token ends, and says when', async (t) => {
  const { fleet } = await acme()
  const text = await fleet.createToken({ ttlMs: hour, uses: 1, parents })
  t.ok(parseToken(text, start + hour - 1))
  const failure = await failureOf(() => parseToken(text, start + hour))
  t.match(failure, { code: 'expired', message: /expired at 2026-05-01T01:00:00\.000Z/ })
})

t.test('a machine whose clock is slow is told so', async (t) => {
  const { fleet } = await acme()
  const text = await fleet.createToken({ ttlMs: hour, uses: 1, parents })
  t.ok(parseToken(text, start - limits.certificateBackdateMs))
  const failure = await failureOf(() => parseToken(text, start - 400 * 24 * hour))
  t.match(failure, { code: 'conflict', message: /clock says 2025-/, hint: /set the clock/ })
})
