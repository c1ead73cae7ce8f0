// How one revision differs from another.

import t from 'tap'
import type { Revision } from '../../src/model/revision.ts'
import { changesBetween, historyOf, wantTheSame } from '../../src/release/revision-changes.ts'

function revisionOf(number: number, rules: Record<string, string>[], rest: Partial<Revision> = {}): Revision {
  return {
    schema: 1,
    number,
    released: number,
    message: '',
    groups: {},
    rules: rules.map((packages, index) => ({
      line: index + number,
      nodes: 'all' as const,
      except: [],
      packages: Object.fromEntries(
        Object.entries(packages).map(([name, version]) => [
          name,
          version === 'absent'
            ? { state: 'absent' as const }
            : { state: 'present' as const, builds: { all: { version, manifest: version.padStart(64, '0') } } },
        ]),
      ),
    })),
    ...rest,
  }
}

t.test('packages are compared by all the versions that rules want of them', async (t) => {
  const before = revisionOf(1, [{ shop: '1.0', atlas: '1.0', old: '1.0' }, { shop: '2.0' }])
  const after = revisionOf(2, [{ shop: '2.0', atlas: '1.0', telnetd: 'absent' }])
  t.strictSame(changesBetween(before, after).packages, [
    { name: 'old', from: ['1.0'], to: [] },
    { name: 'shop', from: ['1.0', '2.0'], to: ['2.0'] },
    { name: 'telnetd', from: [], to: ['absent'] },
  ])
})

t.test('a policy that only moved its lines says the same', async (t) => {
  const [before, after] = [revisionOf(1, [{ shop: '1.0' }]), revisionOf(5, [{ shop: '1.0' }], { message: 'again' })]
  t.ok(wantTheSame(before, after))
  t.strictSame(changesBetween(before, after), { packages: [], terms: false })
})

t.test('who, when and how is a change too', async (t) => {
  const before = revisionOf(1, [{ shop: '1.0' }])
  const groups = { web: { site: 'berlin' } }
  t.strictSame(changesBetween(before, revisionOf(2, [{ shop: '1.0' }], { groups })), { packages: [], terms: true })
  t.notOk(wantTheSame(before, revisionOf(2, [{ shop: '1.0' }], { groups })))
})

t.test('the first revision changed everything that it names', async (t) => {
  const [second, first] = [revisionOf(2, [{ shop: '2.0' }]), revisionOf(1, [{ shop: '1.0' }])]
  t.match(historyOf([second, first], null), [
    { number: 2, packages: [{ name: 'shop', from: ['1.0'], to: ['2.0'] }] },
    { number: 1, packages: [{ name: 'shop', from: [], to: ['1.0'] }], terms: false, rollbackTo: null },
  ])
  t.match(historyOf([second], first), [{ number: 2, packages: [{ from: ['1.0'] }] }])
})
