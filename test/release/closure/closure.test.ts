// Whether nodes would have what the packages of a revision need.

import t from 'tap'
import type { Manifest } from '../../../src/model/manifest.ts'
import type { Outcome } from '../../../src/model/report.ts'
import type { Revision, Rule } from '../../../src/model/revision.ts'
import { createClosure } from '../../../src/release/closure/closure.ts'
import { checkClosure } from '../../../src/release/closure/closure-check.ts'
import type { Unmet } from '../../../src/release/closure/unmet-needs.ts'
import { parseBaseList } from '../../../src/repository/base-list.ts'
import { outcomeOf, reportOf } from '../../report/reports.ts'

interface Given {
  /** `shop 2.0`, and what it needs. */
  published: Record<string, { depends?: string[]; provides?: string[]; kind?: Manifest['kind'] }>
  rules: (Partial<Rule> & { wants: string[] })[]
  base?: Record<string, string>
  nodes?: Record<string, { role?: string; packages?: Outcome[] }>
}

function unmetIn({ published, rules, base = {}, nodes = { a: {} } }: Given): Unmet[] {
  const manifests = new Map(
    Object.entries(published).map(([text, { depends = [], provides = [], kind = 'deb' }]): [string, Manifest] => {
      const [name = '', version = ''] = text.split(' ')
      const sha256 = digestOf(text)
      const about = { schema: 1, name, version, kind, arch: 'all', installedSize: 1, summary: '', hooks: {} } as const
      return [sha256, { ...about, payload: { via: 'object', sha256, size: 1 }, depends, provides }]
    }),
  )
  const revision: Revision = {
    ...{ schema: 1, number: 5, released: 1, message: '' },
    groups: { web: { labels: { role: 'web' } }, db: { labels: { role: 'db' } } },
    rules: rules.map(({ wants, ...rule }, index) => ({
      ...{ line: index + 1, nodes: 'all', except: [] },
      packages: Object.fromEntries(
        wants.map((text) => {
          const [name = '', version = ''] = text.split(' ')
          if (version === 'absent') return [name, { state: 'absent' }]
          return [name, { state: 'present', builds: { all: { version, manifest: digestOf(text) } } }]
        }),
      ),
      ...rule,
    })),
  }
  const lists = new Map(Object.entries(base).map(([group, text]) => [group, parseBaseList(text, 'base.txt')]))
  const closure = createClosure({ revision, manifests, base: lists })
  for (const [name, { role = 'web', packages = [] }] of Object.entries(nodes)) {
    closure.add(reportOf(name, 1, { labels: { role }, packages }))
  }
  return closure.unmet()
}

function digestOf(text: string): string {
  return Buffer.from(text).toString('hex').padStart(64, '0').slice(-64)
}

const textsOf = (unmet: Unmet[]) =>
  unmet.map((one) => `${one.line}: ${one.package} ${one.version}: ${one.needs}: ${one.state} on ${one.nodes.join(' ')}`)

const published = { 'shop 2.0': { depends: ['libshop (>= 2)'] }, 'libshop 2.1': {}, 'libshop 1.9': {} }

t.test('what the same nodes are to have meets a need, in the right version', async (t) => {
  t.same(unmetIn({ published, rules: [{ wants: ['shop 2.0'] }, { wants: ['libshop 2.1'] }] }), [])
  t.same(textsOf(unmetIn({ published, rules: [{ wants: ['shop 2.0', 'libshop 1.9'] }] })), [
    '1: shop 2.0: libshop (>= 2): missing on a',
  ])
})

t.test('what the repository has in another version or kind would bring nothing, and nobody knows', async (t) => {
  const others = { 'shop 2.0': { depends: ['libshop (>= 3)', 'nginx'] }, 'nginx 1': { kind: 'tree' as const } }
  t.match(unmetIn({ published: { ...published, ...others }, rules: [{ wants: ['shop 2.0', 'nginx 1'] }] }), [
    { needs: 'libshop (>= 3)', state: 'unknown', published: null },
    { needs: 'nginx', state: 'unknown', published: null },
  ])
})

t.test('a version that the revision replaces is not what will be there', async (t) => {
  const rules = [{ wants: ['shop 2.0', 'libshop 1.9'] }]
  const nodes = { a: { packages: [outcomeOf('libshop', { version: '2.1' })] } }
  t.match(unmetIn({ published, rules, nodes }), [{ needs: 'libshop (>= 2)', state: 'missing', nodes: ['a'] }])
})

t.test('what only other nodes are to have meets nothing', async (t) => {
  const nodes = { a: { role: 'web' }, b: { role: 'db' }, c: { role: 'web' } }
  const rules = [{ wants: ['shop 2.0'] }, { nodes: ['db'], wants: ['libshop 2.1'] }]
  const [unmet, ...others] = unmetIn({ published, rules, nodes })
  t.match(unmet, { state: 'missing', nodes: ['a', 'c'], published: 'libshop', line: 1 }, 'published is not wanted')
  t.same(others, [])
})

t.test('without a base list nobody knows what the distribution brings; with one it is known', async (t) => {
  const rules = [{ wants: ['shop 2.0'] }]
  const needy = { 'shop 2.0': { depends: ['libc6 (>= 2.34)', 'default-mta | www-browser'] } }
  t.same(textsOf(unmetIn({ published: needy, rules })), [
    '1: shop 2.0: libc6 (>= 2.34): unknown on a',
    '1: shop 2.0: default-mta | www-browser: unknown on a',
  ])
  const exim = 'exim4 4.98 www-browser\n'
  t.same(unmetIn({ published: needy, rules, base: { web: `libc6 2.41\n${exim}` } }), [])
  t.same(textsOf(unmetIn({ published: needy, rules, base: { all: `libc6 2.31\n${exim}` } })), [
    '1: shop 2.0: libc6 (>= 2.34): missing on a',
  ])
  t.same(textsOf(unmetIn({ published: needy, rules, base: { db: `libc6 2.41\n${exim}` } })).length, 2, 'of other nodes')
})

t.test('what the policy has absent is not there, though the distribution brings it', async (t) => {
  const needy = { 'shop 2.0': { depends: ['telnetd'] } }
  const rules = [{ wants: ['shop 2.0', 'telnetd absent'] }]
  t.match(unmetIn({ published: needy, rules, base: { all: 'telnetd 1\n' } }), [{ needs: 'telnetd', state: 'missing' }])
})

t.test(
  'a report shows what is there: what a package that is installed needs in the same words, and what stays',
  async (t) => {
    const two = {
      ...published,
      'shop 1.0': { depends: ['libc6 (>= 2.34)'] },
      'shop 2.0': { depends: ['libc6 (>= 2.34)'] },
    }
    const rules = [{ wants: ['shop 2.0'] }]
    const nodes = { a: { packages: [outcomeOf('shop', { version: '1.0' })] }, b: {} }
    t.same(textsOf(unmetIn({ published: two, rules, nodes })), ['1: shop 2.0: libc6 (>= 2.34): unknown on b'])

    const audited = [{ wants: ['shop 2.0'] }, { wants: ['libshop 2.1'], terms: { mode: 'audit' as const } }]
    const has = { a: { packages: [outcomeOf('libshop', { version: '2.1' })] }, b: {} }
    t.same(textsOf(unmetIn({ published, rules: audited, nodes: has })), ['1: shop 2.0: libshop (>= 2): missing on b'])
    t.match(unmetIn({ published, rules, nodes: has }), [{ nodes: ['a', 'b'] }], 'what no rule mentions any more goes')
  },
)

t.test('a rule for nodes that nobody knows yet is looked at too', async (t) => {
  const rules = [
    { nodes: ['web', 'db'], wants: ['shop 2.0'] },
    { nodes: ['db'], wants: ['libshop 2.1'] },
  ]
  t.match(unmetIn({ published, rules, nodes: {} }), [{ needs: 'libshop (>= 2)', nodes: [], state: 'missing' }])
  t.same(unmetIn({ published, rules: [{ wants: ['shop 2.0', 'libshop 2.1'] }], nodes: {} }), [])
})

t.test('of files that an rpm needs no list says all', async (t) => {
  const needy = { 'shop 2.0': { kind: 'rpm' as const, depends: ['/usr/bin/perl', 'glibc >= 3'] } }
  const found = unmetIn({ published: needy, rules: [{ wants: ['shop 2.0'] }], base: { all: 'glibc = 2.37-1\n' } })
  t.same(
    found.map(({ needs, state }) => [needs, state]),
    [
      ['glibc >= 3', 'missing'],
      ['/usr/bin/perl', 'unknown'],
    ],
  )
})

t.test('a release is refused with all that a person needs to mend it, and allowed by a word', async (t) => {
  const rules = [{ nodes: ['web'], except: ['db'], wants: ['shop 2.0'] }]
  const nodes = { a: {}, b: {}, c: {}, d: {}, e: { role: 'db' } }
  const unmet = unmetIn({ published, rules, nodes })
  const message =
    'policy.yaml:1: shop 2.0 needs libshop (>= 2), which 4 nodes would not have: a, b, c and 1 more (nodes: [web], except: [db])'
  t.throws(() => checkClosure(unmet, false, 'policy.yaml'), {
    code: 'missing-dependencies',
    message,
    hint: /^the repository has libshop: add it to the rule; .*--allow-missing-dependencies$/,
  })
  t.same(checkClosure(unmet, true, 'policy.yaml'), [message])
})

t.test('what nobody knows refuses nothing, and is said once', async (t) => {
  const needy = { 'shop 2.0': { depends: ['libc6', 'perl'] } }
  const unmet = unmetIn({ published: needy, rules: [{ wants: ['shop 2.0'] }] })
  const warnings = checkClosure(unmet, false, 'policy.yaml')
  t.equal(warnings.length, 1)
  t.match(
    warnings[0],
    /^policy\.yaml:1: whether a has libc6 for shop 2\.0 and 1 more is not known; base: in the policy/,
  )
})

t.test('a condition counts what the distribution brings as well as what the node has', async (t) => {
  const rpm = 'rpm' as const
  const published = {
    'shop 2.0': { kind: rpm, depends: ['(shop-panel if desktop)', '(shop-tty unless desktop)'] },
    'shop-panel 1': { kind: rpm },
    'shop-tty 1': { kind: rpm },
  }
  const rules = [{ wants: ['shop 2.0'] }]
  const packages = [outcomeOf('shop', { version: '2.0' })]
  // The partner is in the base list alone, and the node has packages of ours that know nothing of it.
  t.same(textsOf(unmetIn({ published, rules, base: { all: 'desktop 1' } })), [
    '1: shop 2.0: (shop-panel if desktop): missing on a',
  ])
  t.same(textsOf(unmetIn({ published, rules, base: { all: 'desktop 1' }, nodes: { a: { packages } } })), [
    '1: shop 2.0: (shop-panel if desktop): missing on a',
  ])
  t.same(textsOf(unmetIn({ published, rules, base: { all: 'bash 5' } })), [
    '1: shop 2.0: (shop-tty unless desktop): missing on a',
  ])
})

t.test('a partner that only the node has makes a condition count', async (t) => {
  const rpm = 'rpm' as const
  const published = {
    'shop 2.0': { kind: rpm, depends: ['(shop-panel if desktop)'] },
    'shop-panel 1': { kind: rpm },
    'desktop 1': { kind: rpm },
  }
  const rules = [{ wants: ['shop 2.0', 'desktop 1'], terms: {} }]
  const kept = [{ wants: ['desktop 1'], terms: { mode: 'audit' as const } }, { wants: ['shop 2.0'] }]
  const nodes = { a: { packages: [outcomeOf('desktop', { version: '1', kind: 'rpm' })] } }
  t.same(textsOf(unmetIn({ published, rules, base: { all: 'bash 5' } })), [
    '1: shop 2.0: (shop-panel if desktop): missing on a',
  ])
  t.same(textsOf(unmetIn({ published, rules: kept, nodes, base: { all: 'bash 5' } })), [
    '2: shop 2.0: (shop-panel if desktop): missing on a',
  ])
})
