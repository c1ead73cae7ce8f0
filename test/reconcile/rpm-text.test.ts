import t from 'tap'
import type { Manifest } from '../../src/model/manifest.ts'
import { namesNeededBy, namesOfferedBy } from '../../src/model/needs.ts'
import { dependentsOf, groupsOf } from '../../src/reconcile/providers/groups.ts'
import type { Step } from '../../src/reconcile/providers/provider.ts'
import {
  isLocked,
  lastBegun,
  nameInNevra,
  parseConfigNotes,
  parseMissingAccounts,
  parseObsoletes,
  parseRpmComplaints,
  parseRpmQuery,
  parseRpmVerify,
} from '../../src/reconcile/providers/rpm/rpm-text.ts'

const nothing = { removes: new Set<string>() }

t.test('installed packages, and what is not installed', async (t) => {
  const text =
    'shop\t1\t2.0\t3.fc40\tnoarch\tabc\tdef\npackage other is not installed\nold\t0\t1\t1\tx86_64\t(none)\tdef\n'
  t.same(parseRpmQuery(text), [
    { name: 'shop', version: '1:2.0-3.fc40', arch: 'noarch', build: 'abc' },
    { name: 'old', version: '1-1', arch: 'x86_64', build: 'def' },
  ])
  t.same(parseObsoletes('x\ty\nobsoletes\tshop-old\t<\t2\nobsoletes\tall\t\t\nobsoletes\t(none)\t(none)\t(none)\n'), [
    { name: 'shop-old', sign: '<', version: '2' },
    { name: 'all', sign: '', version: '' },
  ])
})

t.test('changed and missing files, without configuration files and times', async (t) => {
  const text = `S.5....T.  c /etc/shop.conf
missing     /opt/shop/lib/a
missing   d /usr/share/doc/a b
.M.......    /opt/shop/bin/shop
.......T.    /opt/user/VERSION
.......T.  g /var/ghost
`
  t.same(parseRpmVerify(text), {
    touched: ['/opt/user/VERSION'],
    unread: [],
    findings: [
      { path: '/opt/shop/lib/a', what: 'missing' },
      { path: '/usr/share/doc/a b', what: 'missing' },
      { path: '/opt/shop/bin/shop', what: 'changed' },
    ],
  })
  t.same(parseRpmVerify(''), { findings: [], touched: [], unread: [] })
})

t.test('what went wrong, in rpm’s, dnf’s and zypper’s own words, and whose fault it was', async (t) => {
  const rpm = `rpm: RPM should not be used directly install RPM packages, use Alien instead!
error: Failed dependencies:
\tnothere >= 3 is needed by needs-1-1.noarch
\tbase is needed by (installed) user-1-1.noarch
`
  const lacking = parseRpmComplaints(rpm, nothing)
  t.same([...lacking.unmet], ['needs'])
  t.equal(lacking.about('needs'), 'nothere >= 3 is needed by needs-1-1.noarch')
  const dnf = ` Problem: conflicting requests
  - nothing provides nothere >= 3 needed by needs-1:1-1.noarch from @commandline
Error: Transaction failed
`
  t.same([...parseRpmComplaints(dnf, nothing).unmet], ['needs'])
  const zypper =
    'Problem: nothing provides nothere >= 3 needed by needs-1-1.noarch\n Solution 1: do not install needs-1-1.noarch\n'
  t.same([...parseRpmComplaints(zypper, nothing).unmet], ['needs'])
  const failing = `error: %prein(bad-pre-1:4.0-1.noarch) scriptlet failed, exit status 4
error: bad-pre-1:4.0-1.noarch: install failed
warning: %post(bad-1-1.noarch) scriptlet failed, exit status 3
warning: %postun(shop-1.0-1.noarch) scriptlet failed, exit status 5
`
  const failed = parseRpmComplaints(failing, nothing)
  t.same([...failed.culprits], ['bad-pre', 'bad'])
  t.same([...failed.late], [['shop', '%postun(shop-1.0-1.noarch) scriptlet failed, exit status 5']])
  t.equal(failed.about('bad'), '%post(bad-1-1.noarch) scriptlet failed, exit status 3')
  const removal = 'error: %preun(shop-1.0-1.noarch) scriptlet failed, exit status 5\nerror: shop: erase failed\n'
  t.same([...parseRpmComplaints(removal, { removes: new Set(['shop']) }).culprits], ['shop'])
  const files = '\tfile /opt/x from install of a-1-1.noarch conflicts with file from package b-1-1.noarch\n'
  t.same(
    [...parseRpmComplaints(files, nothing).unmet],
    ['a', 'b-1-1.noarch'].map((one) => nameInNevra(one)),
  )
  t.equal(lastBegun('(1/2) Installing: a-1-1.noarch [....done]\n(2/2) Installing: b-c-1:1-1.noarch [..'), 'b-c')
  t.equal(lastBegun('Nothing to do.'), undefined)
})

t.test('a lock that somebody else holds', async (t) => {
  t.ok(isLocked("error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)"))
  t.ok(isLocked('System management is locked by the application with pid 77 (zypper).'))
  t.ok(isLocked('metadata already locked by 77\n  The application with PID 77 is: dnf'))
  t.notOk(isLocked('error: Failed dependencies:'))
})

t.test('configuration files that were kept or saved', async (t) => {
  const text = `warning: /etc/a.conf created as /etc/a.conf.rpmnew
  warning: /etc/b c.conf saved as /etc/b c.conf.rpmsave
`
  t.same(parseConfigNotes(text), [
    { path: '/etc/a.conf', beside: '/etc/a.conf.rpmnew', isSaved: false },
    { path: '/etc/b c.conf', beside: '/etc/b c.conf.rpmsave', isSaved: true },
  ])
})

t.test('rpm packages that need each other are one group, by what they provide too', async (t) => {
  const manifest = (name: string, depends: string[], provides: string[] = []) =>
    ({ name, kind: 'rpm', depends, provides }) as unknown as Manifest
  t.same(
    namesNeededBy(manifest('a', ['base >= 1', '/bin/sh', 'libx.so.1()(64bit)', '(dnf or (zypper >= 2 if kde))'])),
    [...['base', '/bin/sh', 'libx.so.1()(64bit)', 'dnf', 'zypper', 'kde']],
  )
  t.same(namesOfferedBy(manifest('a', [], ['b'])), ['a', 'b'])
  const step = (body: Manifest) => ({ action: { name: body.name, what: 'install' }, manifest: body }) as unknown as Step
  const groups = groupsOf([
    step(manifest('a', ['libx.so.1()(64bit)'])),
    step(manifest('b', [])),
    step(manifest('x', [], ['libx.so.1()(64bit)'])),
  ])
  const steps = [
    step(manifest('a', ['b'])),
    step(manifest('b', ['lib'])),
    step(manifest('c', [])),
    step(manifest('d', [], ['lib'])),
  ]
  t.same(
    [...dependentsOf(steps, new Set(['d']))],
    [
      ['b', 'd'],
      ['a', 'b'],
    ],
  )
  t.same(
    groups.map((group) => group.map(({ action }) => action.name)),
    [['a', 'x'], ['b']],
  )
})

t.test('accounts that the machine does not have', async (t) => {
  const text = [
    'warning: user shop does not exist - using root',
    '  warning: group shop does not exist - using root',
    'warning: user shop does not exist - using root',
    'warning: /etc/a created as /etc/a.rpmnew',
  ].join('\n')
  t.same(parseMissingAccounts(text), ['user shop', 'group shop'])
})
