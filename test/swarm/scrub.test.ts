// Which payload is read next, what is wrong with it, and what is told of the damage.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { open, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { forkedChecker } from '../../src/swarm/checking/check-process.ts'
import { checkedPieces } from '../../src/swarm/checking/checker.ts'
import { damageAfter, damageTextOf, standingDamage } from '../../src/swarm/checking/damage.ts'
import { mostDue, oldestOf } from '../../src/swarm/checking/due.ts'
import { type Holding, newHolding, transition } from '../../src/swarm/holdings/holding.ts'
import { payloadFrom } from './kit.ts'

const dayMs = 24 * 3600_000

function wholeSince(name: string, at: number): Holding {
  const { metainfo: _, ...spec } = payloadFrom(name, { size: 1000, pieceLength: 100 }).spec
  return transition(newHolding(spec), { kind: 'completed', at, linkRate: null })[0]
}

t.test('the payload that was not read for longest is due first, and none before its time', async (t) => {
  const [old, young] = [wholeSince('old', dayMs), wholeSince('young', 20 * dayMs)]
  const all = [young, old]
  const at = (now: number) => mostDue(all, { everyMs: 30 * dayMs, now, self: 'n' })?.spec.name
  t.equal(at(27 * dayMs), undefined)
  t.equal(at(31 * dayMs), 'old')
  t.equal(at(60 * dayMs), 'old')
  t.equal(oldestOf(all), dayMs)
  all[1] = transition(old, { kind: 'checked', at: 40 * dayMs })[0]
  t.equal(at(55 * dayMs), 'young')
  t.equal(oldestOf([]), null)
})

t.test('a piece that cannot be read is as wrong as one that was changed', async (t) => {
  const bytes = Buffer.alloc(250, 1)
  const digests = Buffer.concat([0, 100, 200].map((at) => sha1(bytes.subarray(at, at + 100))))
  const read = async (into: Uint8Array, position: number) => {
    if (position === 100) throw new Error('EIO')
    into.set(bytes.subarray(position, position + into.length))
    if (position === 200) into[3] = 7
    return into.length
  }
  t.same(await checkedPieces({ size: 250, pieceLength: 100, digests }, read), { wrong: [1, 2] })
})

t.test('the checking process reads what is on the disk', async (t) => {
  const { bytes, spec } = payloadFrom('checked', { size: 300_000, pieceLength: 65_536 })
  const path = join(t.testdir({}), 'payload')
  const file = await open(path, 'w')
  await file.write(bytes)
  await file.write(Buffer.from([1, 2, 3]), 0, 3, 70_000)
  await file.close()
  const pieces = Array.from({ length: 5 }, (_, piece) => bytes.subarray(piece * 65_536, (piece + 1) * 65_536))
  const digests = Uint8Array.from(Buffer.concat(pieces.map(sha1)))
  const { size, pieceLength } = spec.payload
  const checker = forkedChecker()
  // A check does not keep its process alive.
  const alive = setInterval(() => {}, 60_000)
  t.teardown(() => clearInterval(alive))
  t.same(await checker.check({ path, size, pieceLength, digests, isIdle: true }), { wrong: [1] })
  const found = { size, pieceLength, digests, isIdle: false }
  await t.rejects(checker.check({ path: `${path}x`, ...found }), { code: 'disk' })
  // The engine's user may have put something else there: a pipe would be waited for, a link followed.
  execFileSync('mkfifo', [`${path}-pipe`])
  await symlink(path, `${path}-link`)
  for (const planted of ['pipe', 'link']) {
    await t.rejects(checker.check({ path: `${path}-${planted}`, ...found }), { code: 'disk' }, planted)
  }
})

t.test('damage is told for a while after the last of it', async (t) => {
  const first = damageAfter(null, { pieces: 1, name: 'tool', version: '1.0' }, 0)
  t.match(damageTextOf(first, dayMs), /^disk: 1 piece of .* since 1970-01-01.* last of tool 1\.0/)
  const second = damageAfter(first, { pieces: 2, name: 'shop', version: '2.0' }, dayMs)
  t.match(second, { pieces: 3, since: 0, last: dayMs, name: 'shop' })
  t.equal(standingDamage(second, dayMs + limits.damageToldMs), null)
  t.equal(damageTextOf(second, dayMs + limits.damageToldMs), null)
})

function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest()
}
