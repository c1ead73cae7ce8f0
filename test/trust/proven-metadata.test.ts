// What a restored root takes from its children as proof of what the fleet has seen.

import t from 'tap'
import { openFleet } from '../../src/trust/fleet.ts'
import { acme, failureOf, home, nodeOf, parentOf, publishRevision, revision } from './acme.ts'

/** A root that is put back from a copy of before five releases, and a node that saw them. */
async function restoredRoot(name = 'acme') {
  const root = await acme({ name })
  const node = await nodeOf(root)
  await publishRevision(root.fleet, revision(1))
  const older = root.disk.copy()
  for (let number = 2; number <= 6; number += 1) await publishRevision(root.fleet, revision(number))
  const seen = await node.trust.refresh(parentOf(root.fleet))
  const files = Object.fromEntries(
    [...node.trust.files()].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]),
  )
  const { clock, random } = root
  const reopened = () => openFleet({ dir: home, clock, random, disk: older })
  return { node, seen, files, reopened, restored: await reopened() }
}

t.test('one child with signed proof is enough, and the root signs on at once', async (t) => {
  const { node, seen, files, reopened, restored } = await restoredRoot()
  for (const honest of ['n2', 'n3', 'n4']) restored.versionHeard(honest, 2)
  restored.versionHeard('n1', seen.timestampVersion)
  t.equal(restored.ahead(), null, 'its word is one of four')
  t.equal(restored.metadata.isWantedOf('n1'), true)
  t.equal(restored.metadata.isWantedOf('n2'), false, 'who trusts nothing newer is not asked')
  restored.metadata.asked('n1')
  t.equal(restored.metadata.isWantedOf('n1'), false, 'and nobody twice in a row')

  await restored.metadata.take(files)
  t.match(restored.ahead(), { version: seen.timestampVersion, signed: 2, isProven: true })
  t.match(await failureOf(restored.renewTimestamp()), { code: 'conflict', hint: /banyan recover/ })
  t.match(await restored.recover(), { version: seen.timestampVersion, isProven: true })
  t.equal(restored.ahead(), null)
  t.equal(await restored.recover(), null)

  await restored.renewTimestamp()
  const again = await reopened()
  t.equal(again.timestamp().version, seen.timestampVersion + 1, 'it is durable')
  const next = await node.trust.refresh(parentOf(again))
  t.same(next.revision, seen.revision, 'what the fleet had is in force')
  await publishRevision(again, revision(7))
  t.not((await node.trust.refresh(parentOf(again))).revision?.sha256, seen.revision?.sha256)
})

t.test('what the keys of this fleet have not signed proves nothing', async (t) => {
  const { files, restored } = await restoredRoot()
  const other = await restoredRoot('globex')
  const { 'timestamp.json': timestamp = '', ...rest } = files
  const changed = timestamp.replace(/"version":\s*\d+/, '"version":99')
  t.not(changed, timestamp)
  for (const [what, forged] of Object.entries({
    'another fleet': other.files,
    'a timestamp that was changed': { ...rest, 'timestamp.json': changed },
    'no timestamp': rest,
    'a timestamp alone': { 'timestamp.json': timestamp },
    nothing: {},
  })) {
    const failure = await failureOf(restored.metadata.take(forged))
    t.ok(['untrusted', 'unreachable'].includes(failure.code), `${what}: ${failure.code}`)
    t.equal(restored.ahead(), null)
  }
})
