import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { desiredFor } from '../../../src/model/desired.ts'
import { mayWant, type SignedTraits, wishesIn } from '../../../src/model/packages/wishes.ts'
import type { Revision, Rule } from '../../../src/model/revision.ts'

const manifestOf = (letter: string) => letter.repeat(64)
const site = fc.constantFrom('berlin', 'oslo')
const role = fc.constantFrom('web', 'db')
const arch = fc.constantFrom('amd64' as const, 'arm64' as const, 'all' as const)
const groups: Revision['groups'] = {
  berlin: { site: 'berlin' },
  web: { labels: { role: 'web' } },
  trixie: { facts: { 'os.codename': 'trixie' } },
  named: { names: ['n1'] },
}
const groupNames = fc.subarray(Object.keys(groups))
const rules = fc.array(
  fc.record({
    nodes: fc.oneof(fc.constant('all' as const), groupNames),
    except: groupNames,
    letter: fc.constantFrom('a', 'b', 'c'),
    arch,
  }),
  { maxLength: 5 },
)
const traits = fc.record({
  name: fc.constantFrom('n1', 'n2'),
  site,
  arch: fc.constantFrom('amd64' as const, 'arm64' as const),
  labels: fc.record({ role }),
  facts: fc.record({ 'os.codename': fc.constantFrom('trixie', 'bookworm') }, { requiredKeys: [] }),
})

const revisionOf = (
  parts: { nodes: 'all' | string[]; except: string[]; letter: string; arch: 'amd64' | 'arm64' | 'all' }[],
) => ({
  groups,
  rules: parts.map(({ letter, arch, ...rest }): Rule => {
    const builds = { [arch]: { version: '1.0', manifest: manifestOf(letter) } }
    return { line: 1, ...rest, packages: { [`tool-${letter}`]: { state: 'present', builds } } }
  }),
})

t.test('what a revision gives a node, the node may want, also by a report that lacks its facts', async () => {
  fc.assert(
    fc.property(rules, traits, fc.boolean(), (rules, traits, isCut) => {
      const revision = revisionOf(rules)
      const reported: SignedTraits = isCut ? { ...traits, facts: {} } : (traits as SignedTraits)
      for (const desired of desiredFor(revision, traits as SignedTraits)) {
        if (desired.state === 'present') assert.ok(mayWant(wishesIn(revision), reported, desired.manifest))
      }
    }),
    { numRuns: 500 },
  )
})

t.test('what no rule gives such a node, it may not want', async (t) => {
  const [web, earlier] = [
    revisionOf([{ nodes: ['web'], except: ['berlin'], letter: 'a', arch: 'amd64' }]),
    revisionOf([{ nodes: ['web'], except: [], letter: 'b', arch: 'all' }]),
  ]
  const wishes = wishesIn({ ...web, earlier: [earlier] })
  const own: SignedTraits = { name: 'n2', site: 'oslo', arch: 'amd64', labels: { role: 'web' }, facts: {} }
  const may = (rest: Partial<SignedTraits>, letter = 'a') => mayWant(wishes, { ...own, ...rest }, manifestOf(letter))
  t.ok(may({}))
  t.notOk(may({ labels: { role: 'db' } }))
  t.notOk(may({ labels: {} }))
  t.notOk(may({ site: 'berlin' }))
  t.notOk(may({ arch: 'arm64' }))
  t.ok(may({ arch: 'arm64', site: 'berlin' }, 'b'), 'as an earlier revision gave it')
  t.notOk(may({}, 'c'), 'which nothing names')
})
