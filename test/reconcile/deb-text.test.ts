// The texts below are dpkg's and apt's own (Debian 12, LC_ALL=C.UTF-8).

import t from 'tap'
import { namesIn } from '../../src/model/needs.ts'
import {
  parseComplaints,
  parseConffiles,
  parseControl,
  parseCulprits,
  parseDpkgQuery,
  parseOwners,
  parseSimulation,
  parseUnmet,
  parseVerify,
  pathExcludedBy,
} from '../../src/reconcile/providers/deb/deb-text.ts'
import { groupsOf } from '../../src/reconcile/providers/groups.ts'
import type { Step } from '../../src/reconcile/providers/provider.ts'

t.test('packages and their states', async (t) => {
  const text =
    'app\t2.0\tall\thalf-configured\tinstall\tok\nlib\t1:1.0-2~a\tamd64\tinstalled\thold\treinstreq\nold\t\tall\tnot-installed\tunknown\tok\n'
  t.same(parseDpkgQuery(text), [
    { name: 'app', version: '2.0', arch: 'all', status: 'half-configured', held: false, needsReinstall: false },
    { name: 'lib', version: '1:1.0-2~a', arch: 'amd64', status: 'installed', held: true, needsReinstall: true },
    { name: 'old', version: '', arch: 'all', status: 'not-installed', held: false, needsReinstall: false },
  ])
})

t.test('changed and missing files, without conffiles', async (t) => {
  const text = [
    '??5??????   /opt/app/VERSION',
    'missing     /opt/lib/a file',
    'missing   c /etc/doc.conf',
    '??5?????? c /etc/doc.conf',
    'missing     /root/secret (Permission denied)',
    '',
  ].join('\n')
  t.same(parseVerify(text), [
    { path: '/opt/app/VERSION', missing: false },
    { path: '/opt/lib/a file', missing: true },
    { path: '/root/secret', missing: true },
  ])
})

t.test('files that dpkg was told to leave out', async (t) => {
  const excluded = pathExcludedBy(
    [
      '# slim',
      'path-exclude /usr/share/doc/*',
      'path-include=/usr/share/doc/*/copyright',
      'path-exclude=/usr/share/man/*',
      'force-unsafe-io',
    ].join('\n'),
  )
  t.ok(excluded('/usr/share/doc/app/README'))
  t.ok(excluded('/usr/share/doc/app'))
  t.notOk(excluded('/usr/share/doc/app/copyright'))
  t.notOk(excluded('/usr/share/info/app'))
  t.notOk(pathExcludedBy('')('/usr/share/doc/app'))
})

t.test('what apt would do', async (t) => {
  const text = [
    'Reading package lists...',
    'Remv app [1.0]',
    'Remv libc6:i386 [2.36]',
    'Inst lib (1.0 local-deb [all])',
    'Inst other [1.0] (2.0 local-deb [all])',
    'Conf other (2.0 local-deb [all])',
  ].join('\n')
  t.same(parseSimulation(text, 'amd64'), { installs: ['lib', 'other'], removes: ['app', 'libc6:i386'] })
})

t.test('what went wrong, in apt’s and dpkg’s own words', async (t) => {
  const unmet = [
    'The following packages have unmet dependencies:',
    ' app : Depends: lib (>= 1) but it is not installable',
    '       Depends: libc6 (>= 2.34) but it is not installable',
    ' jq : PreDepends: base but it is not going to be installed',
    'E: Unable to correct problems, you have held broken packages.',
  ].join('\n')
  t.equal(
    parseComplaints(unmet).about('app'),
    'app : Depends: lib (>= 1) but it is not installable, Depends: libc6 (>= 2.34) but it is not installable',
  )
  t.match(parseComplaints(unmet).about('unknown'), /app : .*libc6.*jq : PreDepends/)
  t.same([...parseUnmet(`${unmet}\n libx:amd64 : Breaks: app`, 'amd64')], ['app', 'jq', 'libx'])
  const failed = [
    'Setting up app (2.0) ...',
    'dpkg: error processing package app (--configure):',
    ' installed app package post-installation script subprocess returned error exit status 3',
    'Errors were encountered while processing:',
    ' app',
    'E: Sub-process /usr/bin/dpkg returned an error code (1)',
  ].join('\n')
  const said =
    'dpkg: error processing package app (--configure): installed app package post-installation script subprocess returned error exit status 3'
  t.equal(parseComplaints(failed).about('app'), said)
  t.equal(parseComplaints('all is well\n').all, '')
  t.equal(
    parseComplaints('E: Unable to correct problems, you have held broken packages.').all,
    'E: Unable to correct problems, you have held broken packages.',
  )
})

t.test('whose fault it was', async (t) => {
  const text = [
    'dpkg: error processing package app:amd64 (--configure):',
    'dpkg: error processing archive /var/lib/banyan/apply/x/deb/libstdc++6.deb (--unpack):',
  ].join('\n')
  t.same([...parseCulprits(text, 'amd64')], ['app', 'libstdc++6.deb'])
})

t.test('configuration files that were kept, and whose they are', async (t) => {
  const text = [
    "Configuration file '/etc/cf.conf' (actually '/tmp/root/etc/cf.conf')",
    ' ==> Modified (by you or by a script) since installation.',
    ' ==> Package distributor has shipped an updated version.',
    ' ==> Keeping old config file as default.',
    "Configuration file '/etc/new.conf'",
    ' ==> Using new config file as default.',
  ].join('\n')
  t.same(parseConffiles(text), { kept: ['/etc/cf.conf'], replaced: [] })
  t.same(
    [...parseOwners('libc6:amd64: /etc/a\ncf: /etc/cf.conf\n', 'amd64')],
    [
      ['/etc/a', 'libc6'],
      ['/etc/cf.conf', 'cf'],
    ],
  )
})

t.test('control fields and dependency clauses', async (t) => {
  t.equal(parseControl('Package: app\nVersion: 1:2\nArchitecture: all\n').get('Version'), '1:2')
  t.same(namesIn('deb', 'libjq1 (= 1.6-2.1) | jq-bin:any [amd64]'), ['libjq1', 'jq-bin'])
  t.same(namesIn('deb', ' g++ '), ['g++'])
  t.same(namesIn('deb', ''), [])
})

t.test('packages that need each other are one group, removals come last', async (t) => {
  const step = (name: string, depends: string[], what: 'install' | 'remove' = 'install') =>
    ({ action: { name, what }, manifest: what === 'remove' ? null : { name, kind: 'deb', depends } }) as unknown as Step
  const steps = [
    step('gone', [], 'remove'),
    step('a', ['b (>= 1) | x']),
    step('c', []),
    step('b', ['d']),
    step('d', ['libc6']),
  ]
  const groups = groupsOf(steps).map((group) => group.map(({ action }) => action.name))
  t.same(groups, [['a', 'b', 'd'], ['c'], ['gone']])
  const long = Array.from({ length: 5000 }, (_, n) => step(`p${n}`, [`p${n + 1}`]))
  t.equal(groupsOf(long).length, 1)
})
