// An unreadable answer is not "nothing": a package that nobody could look at is neither kept, nor
// absent, nor healed.

import t from 'tap'
import type { DesiredPackage } from '../../src/model/desired.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import type { Report } from '../../src/model/report.ts'
import type { Revision } from '../../src/model/revision.ts'
import { type Actual, type InstalledRecord, unreadActual } from '../../src/reconcile/actual.ts'
import { describeUnread } from '../../src/reconcile/check.ts'
import { differencesBetween } from '../../src/reconcile/differences.ts'
import { outcomesKept } from '../../src/reconcile/kept.ts'
import { type Action, planFor } from '../../src/reconcile/plan.ts'
import { isReached } from '../../src/reconcile/providers/provider.ts'
import { recordsStanding } from '../../src/reconcile/records.ts'
import { changesOn } from '../../src/release/node-changes.ts'
import { standingsOf } from '../../src/release/rollouts/rollout-waves.ts'

const digest = (text: string) => Buffer.from(text.padEnd(32, '.')).toString('hex').slice(0, 64)
const payload = { via: 'object', sha256: digest('payload'), size: 1 } as const
const manifest: Manifest = {
  ...{ schema: 1, name: 'shop', version: '1.0', kind: 'deb', arch: 'all', payload, installedSize: 1 },
  ...{ depends: [], summary: '', hooks: {} },
}
const wanted: DesiredPackage = { state: 'present', name: 'shop', version: '1.0', manifest: digest('m'), line: 1 }
const record: InstalledRecord = {
  ...{ name: 'shop', kind: 'deb', version: '1.0', manifest: digest('m'), payload: digest('payload') },
  ...{ revision: 6, state: 'installed', foundThere: false },
}
const installed: Actual = {
  ...{ name: 'shop', kind: 'deb', version: '1.0', state: 'unread', found: 'its md5sums cannot be read' },
  ...{ held: false, payload: null },
}
const unknown = unreadActual({ name: 'shop', kind: 'deb' }, 'dpkg does not answer')

function look(desired: DesiredPackage[], actual: Actual[], records: InstalledRecord[] = [record]) {
  const manifests = new Map([[digest('m'), manifest]])
  const differences = differencesBetween({
    ...{ desired, actual, manifests, installed: records, revision: 7, converged: 7 },
  })
  const revision = { number: 7, digest: digest('r') }
  const plan = planFor(differences, { revision, manifests, payloadsHere: new Map(), installed: records })
  return { differences, kept: outcomesKept({ desired, actual, differences, plan }) }
}

t.test('what nobody could look at gets an outcome of its own, and nothing is done about it', async (t) => {
  for (const [actual, version] of [
    [installed, '1.0'],
    [unknown, null],
  ] as const) {
    const { differences, kept } = look([wanted], [actual])
    t.same(differences, [])
    t.match(kept, [{ name: 'shop', kind: 'deb', outcome: 'unread', version, detail: actual.found }])
    t.match(describeUnread(kept), [{ name: 'shop', version, why: actual.found }])
  }
})

t.test('what nobody could look at is not absent, and stays ours', async (t) => {
  const gone: DesiredPackage = { state: 'absent', name: 'shop', line: 1 }
  t.match(look([gone], [unknown]), { differences: [], kept: [{ outcome: 'unread', version: null }] })
  t.match(look([], [unknown]), { differences: [], kept: [{ outcome: 'unread', version: null }] }, 'not mentioned')
  t.match(look([gone], [installed]).differences, [{ what: 'remove', from: '1.0' }])
  t.same(recordsStanding([record], { desired: [], actual: [unknown] }), [record])
  t.same(recordsStanding([record], { desired: [], actual: [] }), [])
})

t.test('another version is installed although the files of the present one cannot be checked', async (t) => {
  const { differences, kept } = look([{ ...wanted, version: '2.0', manifest: digest('m') }], [installed])
  t.match(differences, [{ what: 'upgrade', from: '1.0', to: '2.0', found: '1.0 is installed' }])
  t.match(kept, [{ outcome: 'skipped' }], 'it waits for its payload')
})

t.test('a package whose files cannot be checked is installed, and not healed', async (t) => {
  const action: Action = {
    ...{ name: 'shop', kind: 'deb', what: 'reinstall', cause: 'pending', from: '1.0', to: '1.0', found: '' },
    ...{ source: null, previous: null },
  }
  t.ok(isReached(action, installed))
  t.notOk(isReached({ ...action, cause: 'drift' }, installed))
  t.notOk(isReached(action, unknown))
  t.notOk(isReached({ ...action, what: 'remove', to: null }, unknown))
})

t.test('a rollout counts it neither as done nor as failed', async (t) => {
  const packages = {
    shop: { state: 'present', builds: { all: { version: '1.0', manifest: digest('m') } } },
    old: { state: 'absent' },
  }
  const rule = {
    line: 3,
    nodes: 'all',
    except: [],
    terms: { rollout: 'careful' },
    packages,
    since: { shop: 7, old: 7 },
  }
  const revision = { schema: 1, number: 7, released: 1, message: '', groups: {}, rules: [rule] } as unknown as Revision
  const state = { rollout: 'careful', since: 7, waves: [100], seed: 'careful@7', open: 1, openedAt: 1 } as never
  const standing = (name: 'shop' | 'old', version: string | null) => {
    const own = { name, kind: 'deb', outcome: 'unread', version, before: version, difference: null, detail: 'x' }
    const shop = { ...own, name: 'shop', outcome: 'kept', version: '1.0' }
    const packages = name === 'shop' ? [own] : [shop, own]
    const report = { node: 'n', arch: 'amd64', site: null, labels: {}, facts: {}, revision: 7, packages }
    return [...standingsOf(report as unknown as Report, revision, [state]).values()][0]?.state
  }
  t.equal(standing('shop', '1.0'), 'held')
  t.equal(standing('shop', null), 'underway')
  t.equal(standing('old', null), 'underway')
})

t.test('a plan of the root does not guess whether such a package would change', async (t) => {
  const outcome = {
    name: 'shop',
    kind: 'deb',
    outcome: 'unread',
    version: null,
    before: null,
    difference: null,
  } as const
  t.match(
    changesOn({ packages: [outcome] }, [wanted], () => manifest),
    { changes: [], unreported: ['shop'] },
  )
  const known = { ...outcome, version: '1.0' }
  t.match(
    changesOn({ packages: [known] }, [wanted], () => manifest),
    { changes: [], unreported: [] },
  )
})

t.test('a held package that is not installed is held, not missing', async (t) => {
  const held: Actual = { ...unknown, state: 'absent', found: '', held: true, lift: 'remove Pin: -1' }
  const { differences, kept } = look([wanted], [held])
  t.match(differences, [{ what: 'install', held: true, from: null }])
  t.match(kept, [{ outcome: 'held', version: null, detail: /install held by .* \(remove Pin: -1\)/ }])
  t.match(look([{ state: 'absent', name: 'shop', line: 1 }], [held]).kept, [{ outcome: 'kept', version: null }])
  t.same(look([], [held]).differences, [])
  t.same(recordsStanding([record], { desired: [], actual: [held] }), [])
})
