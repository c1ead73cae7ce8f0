// Whether what packages need is there.

import t, { type Test } from 'tap'
import type { Kind, Manifest } from '../../src/model/manifest.ts'
import {
  isMet,
  namesIn,
  namesNeededBy,
  namesOfferedBy,
  type Offer,
  type Offers,
  offersOf,
} from '../../src/model/needs.ts'
import { parseBaseList } from '../../src/repository/base-list.ts'

function offered(kind: Kind, ...packages: string[]): Offers {
  const offers = new Map<string, Offer[]>()
  for (const text of packages) {
    const [name = '', version = '', ...provides] = text.split(' ; ')
    for (const [one, offer] of offersOf({ kind, name, version, arch: 'amd64', multiArch: 'allowed', provides })) {
      offers.set(one, [...(offers.get(one) ?? []), offer])
    }
  }
  return offers
}

function check(t: Test, kind: Kind, offers: Offers, cases: Record<string, boolean>): void {
  for (const [clause, met] of Object.entries(cases)) t.equal(isMet(kind, clause, [offers]), met, clause)
}

t.test('a Debian package needs names, versions, alternatives, and what others provide', async (t) => {
  const offers = offered(
    'deb',
    'libc6 ; 2.41-12',
    'exim4 ; 4.98 ; www-browser',
    'libssl3t64 ; 3.5.1 ; libssl3 (= 3.5.1)',
  )
  check(t, 'deb', offers, {
    libc6: true,
    'libc6 (>= 2.34)': true,
    'libc6 (>= 2.42)': false,
    'libc6:any (>= 2.34)': true,
    'python3:any | libc6:amd64': true,
    'libc6 (<< 2.41)': false,
    'libc6 (= 2.41-12)': true,
    'libc6 (>> 2.41-12)': false,
    'libc6 (<= 2.41-12)': true,
    'default-mta | www-browser': true,
    'www-browser (>= 1)': false,
    'libssl3 (>= 3.0)': true,
    'libssl3 (>= 4.0)': false,
    'libfoo | libbar': false,
    'libgcc-s1 (>= 3.0)': false,
  })
})

t.test('only a package that is Multi-Arch: allowed meets a need with :any', async (t) => {
  const about = { kind: 'deb' as const, version: '1.0', provides: ['virtual'] }
  const offers = new Map<string, Offer[]>()
  for (const multiArch of ['same', 'foreign', 'allowed', undefined] as const) {
    const name = `lib${multiArch ?? 'no'}`
    for (const [one, offer] of offersOf({ ...about, name, arch: 'amd64', ...(multiArch && { multiArch }) })) {
      offers.set(one === 'virtual' ? `virtual-${name}` : one, [offer])
    }
  }
  check(t, 'deb', offers, {
    'liballowed:any': true,
    'liballowed:any (>= 2)': false,
    'virtual-liballowed:any': true,
    'libno:any': false,
    'libsame:any': false,
    'libforeign:any': false,
    'virtual-libno:any': false,
    'libno | libsame:any': true,
    libforeign: true,
    'libno:amd64': true,
    'libno:i386': false,
  })
  // A base list does not say what is Multi-Arch: allowed, and python3:any is asked for often.
  check(t, 'deb', parseBaseList('python3 3.11', 'list'), { 'python3:any': true, 'python3:any (>= 3.12)': false })
})

t.test('an rpm needs capabilities, by version where it is known, and rich dependencies', async (t) => {
  const offers = offered(
    'rpm',
    'bash ; 5.2.15-1.fc38 ; /bin/sh ; config(bash)',
    'glibc ; 2:2.37-4 ; libc.so.6(GLIBC_2.4)(64bit)',
  )
  check(t, 'rpm', offers, {
    bash: true,
    'bash >= 5.2': true,
    'bash = 5.2.15': true,
    'bash = 5.2.15-2.fc38': false,
    'bash > 5.2.15': false,
    'glibc >= 3.0': true,
    'glibc >= 3:1': false,
    'libc.so.6(GLIBC_2.4)(64bit)': true,
    '/bin/sh': true,
    'config(bash) = 5.2.15-1.fc38': true,
    '(zsh or bash)': true,
    '(zsh or fish)': false,
    '(bash and glibc >= 2:2.37)': true,
    '(bash and zsh)': false,
    '(zsh if fish)': true,
    '(zsh if bash)': false,
    '(zsh if fish else dash)': false,
    '(zsh unless bash)': true,
    '((zsh or libc.so.6(GLIBC_2.4)(64bit)) and bash)': true,
    '(zsh': true,
  })
  t.same(namesIn('rpm', '(zsh >= 5 or (bash and config(bash)))'), ['zsh', 'bash', 'config(bash)'])
  t.same(namesIn('deb', 'default-mta | www-browser (>= 1)'), ['default-mta', 'www-browser'])
})

t.test('a clause that is written unusually is read as its package manager reads it', async (t) => {
  const debs = offered('deb', 'jq ; 1.6-2 ; libjq (= 1.6)', 'libonig5 ; 6.9-1', 'Old_Name ; 1')
  check(t, 'deb', debs, {
    'jq:any [amd64]': true,
    'jq (>= 1.6) [amd64 arm64] <!nocheck> <!cross>': true,
    'jq (>= 2) [amd64]': false,
    'jq(>=1.6)': true,
    'jq( >= 2 )': false,
    'Old_Name:any': true,
    'jq, libonig5 (>= 6.9)': true,
    'jq, libonig5 (>= 7)': false,
    'jq, libfoo | libonig5,': true,
    '${shlibs:Depends}': false,
    '': true,
  })
  t.same(namesIn('deb', 'libjq1 (= 1.6-2.1) | jq-bin:any [amd64], libc6(>= 2)'), ['libjq1', 'jq-bin', 'libc6'])
  t.same(namesIn('deb', ' g++ '), ['g++'])
  t.same(namesIn('deb', ''), [])

  const rpms = offered('rpm', 'maven ; 3-1 ; mvn(org.foo:bar) ; app:theme', 'jq ; 1.6-2 ; libjq.so.1()(64bit)')
  check(t, 'rpm', rpms, {
    'mvn(org.foo:bar) >= 1': true,
    'app:theme': true,
    'app:theme = 2': true,
    app: false,
    ' jq  >=  1.6 ': true,
    'jq >=2': false,
    '(zsh or libjq.so.1()(64bit))': true,
    ' (zsh or fish)': false,
  })
  t.same(namesIn('rpm', '(foo or libjq.so.1()(64bit))'), ['foo', 'libjq.so.1()(64bit)'])
  t.same(namesIn('rpm', ' base'), ['base'])
  t.same(namesIn('rpm', '()'), [])
})

t.test('names are those of packages, whatever they are called', async (t) => {
  const manifest = (kind: Kind, name: string, depends: string[], provides: string[]): Manifest => ({
    schema: 1,
    ...{ name, kind, version: '1-1', arch: 'all', installedSize: 1, summary: '', hooks: {}, depends, provides },
    payload: { via: 'object', sha256: '0'.repeat(64), size: 1 },
  })
  for (const kind of ['deb', 'rpm'] as const) {
    const odd = manifest(kind, 'constructor', ['toString', 'constructor'], ['hasOwnProperty'])
    t.same(namesNeededBy(odd), ['toString', 'constructor'])
    t.same(namesOfferedBy(odd), ['constructor', 'hasOwnProperty'])
    check(t, kind, new Map(), { constructor: false, toString: false })
    check(t, kind, new Map(offersOf(odd).map(([name, offer]) => [name, [offer]])), {
      constructor: true,
      valueOf: false,
    })
  }
  t.same(namesOfferedBy(manifest('deb', 'jq', [], ['libjq (= 1.6)', 'www'])), ['jq', 'libjq', 'www'])
  t.same(namesOfferedBy(manifest('rpm', 'jq', [], ['libjq = 1.6', 'www'])), ['jq', 'libjq', 'www'])
  t.same(namesNeededBy(manifest('tree', 'site', ['a text for people'], [])), [])
})

t.test('the depends of a tree are for people', async (t) => {
  t.ok(isMet('tree', 'whatever', []))
})

t.test('a base list is what dpkg-query or rpm print', async (t) => {
  const debian = parseBaseList(
    '# trixie, minbase\nlibc6 2.41-12 \nexim4-daemon-light 4.98.2-1 www-browser, default-mta (= 4.98)\nadduser\n',
    'base.txt',
  )
  check(t, 'deb', debian, {
    'libc6 (>= 2.34)': true,
    'www-browser': true,
    'www-browser (>= 1)': false,
    'default-mta (>= 4)': true,
    'adduser (>= 99)': true,
    libssl3: false,
  })
  const fedora = parseBaseList(
    'bash = 5.2.15-1.fc38\n/bin/sh\nlibc.so.6(GLIBC_2.4)(64bit)\ngpg(Red Hat, Inc. (release key 2) <security@redhat.com>) = 4:199e2f91-4ae0493b\n',
    'base.txt',
  )
  check(t, 'rpm', fedora, {
    'bash >= 5': true,
    'bash >= 6': false,
    '/bin/sh': true,
    'libc.so.6(GLIBC_2.4)(64bit)': true,
  })
  t.throws(() => parseBaseList('libc6\nfoo, bar\n', 'base.txt'), { message: /^base\.txt:2: expected NAME VERSION/ })
})
