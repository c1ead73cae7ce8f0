// Whether what packages need is there.

import t, { type Test } from 'tap'
import type { Kind } from '../../src/model/manifest.ts'
import { parseBaseList } from '../../src/repository/base-list.ts'
import { isMet, namesIn, type Offer, type Offers, offersOf } from '../../src/repository/needs.ts'

function offered(kind: Kind, ...packages: string[]): Offers {
  const offers = new Map<string, Offer[]>()
  for (const text of packages) {
    const [name = '', version = '', ...provides] = text.split(' ; ')
    for (const [one, offer] of offersOf({ kind, name, version, provides })) {
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
