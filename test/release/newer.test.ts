// What a version that is newer than wanted means for a plan, a rollout and a rollback.

import t from 'tap'
import type { Outcome, Report } from '../../src/model/report.ts'
import type { Revision, Wanted } from '../../src/model/revision.ts'
import { draftOfRollback } from '../../src/release/drafts.ts'
import { changesOn } from '../../src/release/node-changes.ts'
import { standingsOf } from '../../src/release/rollouts/rollout-waves.ts'
import { outcomeOf, reportOf } from '../report/reports.ts'

const digest = (text: string) => Buffer.from(text).toString('hex').padStart(64, '0')
const wanted = (version: string, terms: { orNewer?: true; least?: string } = {}): Wanted => ({
  ...{ state: 'present', builds: { all: { version, manifest: digest(version) } } },
  ...terms,
})
const revisionOf = (number: number, packages: Record<string, Wanted>): Revision => ({
  ...{ schema: 1, number, released: 1, message: '', groups: {} },
  rules: [{ line: 1, nodes: 'all', except: [], packages }],
})

const latest = { orNewer: true } as const

t.test('a plan foresees no downgrade that no node would make', async (t) => {
  const changes = (least: string | undefined, outcome: Outcome) => {
    const desired = [{ state: 'present' as const, name: 'shop', version: '1.4', manifest: digest('1.4'), line: 1 }]
    const wanted = desired.map((one) => ({ ...one, ...(least !== undefined && { least }) }))
    return changesOn({ packages: [outcome] }, wanted, () => undefined).changes.map(({ what }) => what)
  }
  const newer = outcomeOf('shop', { outcome: 'newer', version: '1.5' })
  t.same(changes(undefined, newer), ['downgrade'])
  t.same(changes('1.4', newer), [])
  t.same(changes('1.2', outcomeOf('shop', { version: '1.3' })), [])
  t.same(changes('1.2', outcomeOf('shop', { version: '1.1' })), ['upgrade'])
  t.same(
    changes('1.4', outcomeOf('shop', { outcome: 'newer', version: '1.4' })),
    [],
    'what it had before is wanted now',
  )
})

t.test('a node with a newer version counts as done in a rollout, and not as failed', async (t) => {
  const careful = { waves: [1, 10, 100], soakMs: 1, haltFailed: 2 }
  const state = { rollout: 'careful', since: 7, seed: 'careful@7', waves: [1, 10, 100], open: 1 }
  const standing = (shop: Wanted, outcome: Partial<Outcome>) => {
    const revision: Revision = {
      ...revisionOf(7, {}),
      rollouts: { careful },
      rules: [
        {
          ...{ line: 1, nodes: 'all', except: [], packages: { shop } },
          terms: { rollout: 'careful' },
          since: { shop: 7 },
        },
      ],
    }
    const report: Report = reportOf('a', 1, { revision: 7, packages: [outcomeOf('shop', outcome)] })
    return standingsOf(report, revision, [state]).get('careful@7')?.state
  }
  t.equal(standing(wanted('1.4', latest), { outcome: 'newer', version: '1.5' }), 'done')
  t.equal(standing(wanted('1.4', { ...latest, least: '1.2' }), { version: '1.3' }), 'done')
  t.equal(standing(wanted('1.6', latest), { outcome: 'newer', version: '1.5' }), 'underway', 'it spoke of the last one')
  t.equal(standing(wanted('1.4'), { outcome: 'newer', version: '1.5' }), 'underway')
})

t.test('a rollback takes newer versions back, and leaves alone what it does not change', async (t) => {
  const earlier = revisionOf(5, {
    shop: wanted('1.4', latest),
    openssl: wanted('3.0', { ...latest, least: '2.9' }),
    gone: wanted('1.0', latest),
    telnetd: { state: 'absent' },
  })
  const last = revisionOf(6, { shop: wanted('1.5', latest), openssl: wanted('3.0', latest) })
  const versions = ['1.4', '3.0', '1.0']
  const { revision } = await draftOfRollback(
    {
      repository: {
        holdings: async () => versions.map((version) => ({ manifest: digest(version) }) as never),
        compile: async () => t.fail('nothing is compiled') as never,
      },
      revisions: {
        newest: async () => ({ digest: digest('6'), body: last }),
        find: async () => earlier,
        list: async () => [last, earlier],
      },
      disk: { read: async () => new Uint8Array() },
      clock: { now: () => 9 },
      policyFile: 'policy.yaml',
      fleet: { numberFloor: () => 0 },
      signed: async () => null,
    },
    5,
    '',
  )
  t.same(revision.rules[0]?.packages, {
    shop: wanted('1.4'),
    openssl: wanted('3.0', { ...latest, least: '2.9' }),
    gone: wanted('1.0'),
    telnetd: { state: 'absent' },
  })
})
