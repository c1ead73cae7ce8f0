// A root that dies, or whose disk is full, in the middle of an admission: whoever asks again gets what
// was asked for, and the former key is turned away.

import type { Test } from 'tap'
import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import type { Fleet } from '../../src/trust/fleet.ts'
import type { NodeIdentity } from '../../src/trust/identity.ts'
import { type Acme, acme, failureOf } from './acme.ts'
import { join, renewal, tokenOf } from './joining.ts'

interface Stage {
  root: Acme
  former: NodeIdentity
}

async function stage(): Promise<Stage> {
  const root = await acme()
  return { root, former: await join(root.fleet, { token: await tokenOf(root), name: 'n1' }) }
}

/** Fails the nth change to the disk, and every later one until `mend`. */
function breakAt({ disk }: Acme, nth: number): { mend: () => boolean } {
  let changes = 0
  disk.onChange = () => {
    changes += 1
    if (changes >= nth) throw new Failure('no-space', 'the disk is full')
  }
  return {
    mend() {
      disk.onChange = () => {}
      return changes >= nth
    },
  }
}

/**
 * Tries `act` with the disk breaking at its first change, then at its second one and so on, and each
 * time `after` on the root that goes on and on one that starts anew. Returns how many points there are.
 */
async function atEachPoint(
  act: (stage: Stage) => Promise<(fleet: Fleet) => Promise<unknown>>,
  after: (stage: Stage, acted: (fleet: Fleet) => Promise<unknown>, fleet: Fleet) => Promise<void>,
): Promise<number> {
  for (let nth = 1; ; nth++) {
    for (const way of ['goes on', 'starts anew'] as const) {
      const each = await stage()
      const acting = await act(each)
      const { mend } = breakAt(each.root, nth)
      const failed = await acting(each.root.fleet).then(() => false, isNoSpace)
      if (!mend()) return nth - 1
      if (!failed) throw new Error(`point ${nth}: no failure came of a full disk`)
      await after(each, acting, way === 'goes on' ? each.root.fleet : await each.root.reopen())
    }
  }
}

function isNoSpace(error: unknown): boolean {
  if (error instanceof Failure && error.code === 'no-space') return true
  throw error
}

/** The name is with the new key, and the former one is good for nothing. */
async function isReplaced(t: Test, { root, former }: Stage, fleet: Fleet, again: NodeIdentity): Promise<void> {
  t.ok(fleet.revocations.has(former.keyId), 'the former key is turned away')
  t.notOk(fleet.revocations.has(again.keyId), 'the new one is not')
  t.ok(await fleet.enrol(renewal(again, root.clock.at)), 'the new key renews')
  t.equal((await failureOf(fleet.enrol(renewal(former, root.clock.at)))).code, 'refused')
  const reopened = await root.reopen()
  t.ok(reopened.revocations.has(former.keyId), 'after a restart too')
  const token = await tokenOf({ ...root, fleet })
  const thief = join(fleet, { token, name: 'n1', key: 'thief', former })
  t.equal((await failureOf(thief)).code, 'already-exists', 'and vouches for nobody')
}

t.test('join --again ends well after a crash at any point of the root', async (t) => {
  const points = await atEachPoint(
    async ({ root, former }) => {
      const token = await tokenOf(root)
      return (fleet) => join(fleet, { token, name: 'n1', key: 'new', former })
    },
    async (each, acting, fleet) => {
      await isReplaced(t, each, fleet, (await acting(fleet)) as NodeIdentity)
    },
  )
  t.ok(points >= 3, `${points} points`)
})

t.test('join --again with a key that is lost with the answer begins anew', async (t) => {
  let passed = 0
  await atEachPoint(
    async ({ root, former }) => {
      const token = await tokenOf(root)
      return (fleet) => join(fleet, { token, name: 'n1', key: 'new', former })
    },
    async (each, _, fleet) => {
      if (fleet.revocations.has(each.former.keyId)) return
      const token = await tokenOf({ ...each.root, fleet })
      const again = await join(fleet, { token, name: 'n1', key: 'newer', former: each.former })
      await isReplaced(t, each, fleet, again)
      passed += 1
    },
  )
  t.ok(passed >= 4, `as long as the former key is not turned away: ${passed}`)
})

t.test('a token with --replaces ends well after a crash at any point of the root', async (t) => {
  const points = await atEachPoint(
    async ({ root }) => {
      const token = await tokenOf(root, 'n1')
      return (fleet) => join(fleet, { token, name: 'n1', key: 'new' })
    },
    async (each, acting, fleet) => {
      await isReplaced(t, each, fleet, (await acting(fleet)) as NodeIdentity)
      const second = join(fleet, { token: await tokenOf({ ...each.root, fleet }), name: 'n1', key: 'second' })
      t.equal((await failureOf(second)).code, 'already-exists')
    },
  )
  t.ok(points >= 3, `${points} points`)
})

t.test('revoke ends well after a crash at any point, and half of it lets nobody in', async (t) => {
  const points = await atEachPoint(
    async () => (fleet) => fleet.revoke('n1'),
    async ({ root, former }, acting, fleet) => {
      const early = await fleet.enrol(renewal(former, root.clock.at)).then(
        () => 'renewed',
        (error: Failure) => error.code,
      )
      await acting(fleet)
      t.ok(fleet.revocations.has(former.keyId), `after ${early}`)
      const reopened = await root.reopen()
      t.ok(reopened.revocations.has(former.keyId))
      t.equal((await failureOf(reopened.enrol(renewal(former, root.clock.at)))).code, 'refused')
    },
  )
  t.ok(points >= 2, `${points} points`)
})

t.test('a revocation that was cut short is made up for at the next call of that node', async (t) => {
  const { root, former } = await stage()
  // The record is written, and nothing after it.
  const { mend } = breakAt(root, 2)
  await root.fleet.revoke('n1').then(() => t.fail('no failure came of a full disk'), isNoSpace)
  mend()
  const fleet = await root.reopen()
  t.match(await failureOf(fleet.enrol(renewal(former, root.clock.at))), { code: 'refused' })
  t.ok(fleet.revocations.has(former.keyId), 'the others hear of it')
})
