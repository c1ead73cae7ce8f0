// Side by side, in values: what counts as reached, kept and different, and which versions may go.

import t from 'tap'
import type { DesiredPackage } from '../../../src/model/desired.ts'
import type { Actual } from '../../../src/reconcile/actual.ts'
import { differencesBetween } from '../../../src/reconcile/differences.ts'
import { outcomesKept } from '../../../src/reconcile/kept.ts'
import { planFor } from '../../../src/reconcile/plan.ts'
import { settingsOf } from '../../../src/reconcile/providers/rpm/rpm-settings.ts'
import { runningOf, surplusOf, versionsKeptBy } from '../../../src/reconcile/providers/rpm/rpm-side-by-side.ts'

const digest = 'a'.repeat(64)
const instance = (version: string, found = '') =>
  ({ version, state: found === '' ? 'whole' : 'drifted', found }) as const

function lookFor(version: string, terms?: DesiredPackage['terms']) {
  const desired: DesiredPackage[] = [
    { state: 'present', name: 'kernel', version, manifest: digest, line: 1, ...(terms && { terms }) },
  ]
  const versions = [instance('6.1.3-1'), instance('6.1.2-1', 'changed /boot/b'), instance('6.1.1-1')]
  const actual: Actual[] = [
    { name: 'kernel', kind: 'rpm', held: false, payload: null, ...instance('6.1.3-1'), versions },
  ]
  const payload = { via: 'object', sha256: digest, size: 1 } as const
  const about = { schema: 1, name: 'kernel', version, kind: 'rpm', arch: 'all' } as const
  const manifest = { ...about, payload, installedSize: 1, depends: [], summary: '', hooks: {} }
  const manifests = new Map([[digest, manifest]])
  const differences = differencesBetween({ desired, manifests, actual, installed: [], revision: 1, converged: null })
  const here = new Map([[digest, '/payload']])
  const plan = planFor(differences, { revision: { number: 1, digest }, manifests, payloadsHere: here, installed: [] })
  return { differences, plan, kept: outcomesKept({ desired, actual, differences, plan }) }
}

t.test('side by side: every installed version is kept, and the outcome names the others', async (t) => {
  for (const [version, others] of [
    ['6.1.3-1', '6.1.2-1, 6.1.1-1'],
    ['6.1.1-1', '6.1.3-1, 6.1.2-1'],
  ] as const) {
    const look = lookFor(version)
    t.same(look.differences, [])
    t.match(look.kept, [{ outcome: 'kept', version, detail: `beside ${others}` }])
  }
  t.match(lookFor('6.1.2-1').differences, [{ what: 'reinstall', from: '6.1.2-1', found: 'changed /boot/b' }])
  t.match(lookFor('6.1.4-1', { keep: 2 }).plan.actions, [{ what: 'upgrade', from: '6.1.3-1', keep: 2 }])
})

t.test('side by side: the running and the wanted versions stay, and then the newest', async (t) => {
  const entry = (version: string) => ({ name: 'kernel', version, arch: 'x86_64', build: version })
  const all = ['1-1', '3-1', '10-1', '2-1', '1:0.5-1'].map(entry)
  const running = runningOf(all, '1-1.x86_64', [])
  t.same(running, [entry('1-1')])
  t.same(runningOf(all, '3.0-default', [entry('1:0.5-1')]), [entry('1:0.5-1')], 'the owner of the kernel file')
  t.same(runningOf(all, '1-1.x86_64+debug', []), [entry('1-1')])
  const stays = (one: { version: string }) => ['1-1', '2-1'].includes(one.version)
  const surplus = (kept: number) => surplusOf(all, { kept, stays }).map(({ version }) => version)
  t.same(surplus(0), [])
  t.same(surplus(1), ['1:0.5-1', '10-1', '3-1'])
  t.same(surplus(3), ['10-1', '3-1'])
  t.same(surplus(5), [])
})

t.test('side by side: how many stay is said by the rule, else by the package manager', async (t) => {
  const limit = (text: string) => ({
    dnf: settingsOf([`[main]\ninstallonly_limit=${text}\n[other]\ninstallonly_limit=9\n`]),
  })
  t.equal(versionsKeptBy('dnf', limit('5'), undefined), 5)
  t.equal(versionsKeptBy('dnf', limit('5'), 1), 1)
  t.equal(versionsKeptBy('rpm', { dnf: new Map() }, undefined), 3)
  t.equal(versionsKeptBy('dnf', limit('1'), undefined), 2, 'dnf allows no 1')
  t.equal(versionsKeptBy('dnf', limit('0'), undefined), 0)
  t.equal(versionsKeptBy('zypper', limit('5'), undefined), 0)
  t.equal(versionsKeptBy('zypper', limit('5'), 4), 4)
})

t.test('settings: sections, comments, lists that add up and lines that go on', async (t) => {
  const text = '# no\n[main]\nexclude=a b\nbest = False\n  ; no\nexcludepkgs: c,\n   d\r\n[repo]\nexclude=e\n'
  t.same(Object.fromEntries(settingsOf([text, '[main]\nbest=1\n'])), { excludepkgs: 'a b c, d', best: '1' })
})
