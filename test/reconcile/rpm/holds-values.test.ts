// Holds count as held: what the files of dnf and zypper say about packages, in values.

import t from 'tap'
import { type Actual, isHeldFrom } from '../../../src/reconcile/actual.ts'
import { excludesIn, type Hold, heldBy, holdFiles } from '../../../src/reconcile/providers/rpm/rpm-holds.ts'
import { settingsOf } from '../../../src/reconcile/providers/rpm/rpm-settings.ts'

/** Whether a change of a package to a version is held; null is a removal. */
function isHeld(holds: readonly Hold[], name: string, installed: string | undefined, to: string | null): boolean {
  const hold = heldBy(holds, name, installed)
  return hold !== undefined && isHeldFrom({ ...hold } as Actual, to)
}

const excludes = (text: string) => excludesIn({ dnf: settingsOf([`[main]\n${text}\n`]) }, 'x86_64')
const locks = (file: string, text: string) => holdFiles[file]?.(text, 'x86_64') ?? []

t.test('excludes: by name, by pattern, by version and by architecture', async (t) => {
  const holds = excludes('exclude=shop kernel*,*.i686\nexcludepkgs=lib-2.*, base-1:3-1.x86_64 app.x86_64')
  t.ok(isHeld(holds, 'shop', undefined, '1-1'), 'not installed')
  t.ok(isHeld(holds, 'shop', '1-1', null))
  t.ok(isHeld(holds, 'kernel-core', '1-1', '2-1'))
  t.notOk(isHeld(holds, 'shop-db', undefined, '1-1'))
  t.notOk(isHeld(holds, 'other', undefined, '1-1'), 'for another architecture')
  t.ok(isHeld(holds, 'app', undefined, '1-1'))
  t.ok(isHeld(holds, 'lib', undefined, '2.1-1'))
  t.notOk(isHeld(holds, 'lib', undefined, '3.1-1'))
  t.notOk(isHeld(holds, 'base', undefined, '3-1'))
  t.ok(isHeld(holds, 'base', undefined, '1:3-1'))
  t.equal(heldBy(holds, 'kernel', '1-1')?.lift, 'take kernel* out of excludepkgs in /etc/dnf/dnf.conf')
  const only = excludes('includepkgs=shop*')
  t.ok(isHeld(only, 'other', undefined, '1-1'))
  t.notOk(isHeld(only, 'shop-db', undefined, '1-1'))
  t.equal(heldBy(only, 'other', undefined)?.lift, 'add other to includepkgs in /etc/dnf/dnf.conf')
  t.same(excludes(''), [])
})

t.test('versionlock: the locked version comes, whatever is installed, and no other one does', async (t) => {
  const text =
    '# Tue\nbash-0:5.1.8-6.el9.*\n!zsh-0:5-1.*\nkernel*\n1:yum-2-1.*\nshop-1-1.x86_64\nshop-2-1.*\nlib-0:1-1.i686\n'
  const holds = locks('etc/dnf/plugins/versionlock.list', text)
  t.ok(isHeld(holds, 'bash', '5.1.8-6.el9', '5.2-1'))
  t.ok(isHeld(holds, 'bash', '5.1.8-6.el9', null))
  t.ok(isHeld(holds, 'bash', undefined, '5.2-1'), 'not installed')
  t.notOk(isHeld(holds, 'bash', '5.1-1', '5.1.8-6.el9'), 'an upgrade to the locked version')
  t.notOk(isHeld(holds, 'bash', '5.2-1', '5.1.8-6.el9'), 'a downgrade to the locked version')
  t.ok(isHeld(holds, 'bash', '5.1-1', '5.2-1'))
  t.ok(isHeld(holds, 'bash', '5.1-1', null))
  t.notOk(isHeld(holds, 'bash', undefined, '5.1.8-6.el9'))
  t.notOk(isHeld(holds, 'bash-completion', undefined, '1-1'))
  t.ok(isHeld(holds, 'kernel-core', undefined, '1-1'))
  t.ok(isHeld(holds, 'zsh', undefined, '5-1'))
  t.notOk(isHeld(holds, 'zsh', '4-1', '6-1'))
  t.notOk(isHeld(holds, 'zsh', '5-1', '6-1'), 'an excluded version may be left')
  t.ok(isHeld(holds, 'zsh', '4-1', '5-1'))
  t.notOk(isHeld(holds, 'yum', undefined, '1:2-1'))
  t.ok(isHeld(holds, 'yum', undefined, '2-1'))
  for (const version of ['1-1', '2-1']) t.notOk(isHeld(holds, 'shop', undefined, version), 'locked to either')
  t.ok(isHeld(holds, 'shop', undefined, '3-1'))
  t.notOk(isHeld(holds, 'lib', '1-1', '2-1'), 'for another architecture')
  t.equal(heldBy(holds, 'kernel-core', '1-1')?.lift, "dnf versionlock delete 'kernel*'")
})

t.test('versionlock of dnf 5: tables with conditions', async (t) => {
  const condition = (comparator: string, key = 'evr') =>
    `[[packages.conditions]]\nkey = "${key}"\ncomparator = "${comparator}"\nvalue = "0:1-1"\n`
  const tables = [
    'name = "bash"\ncomment = "x"\n',
    `name = "shop"\n${condition('=')}`,
    `name = "lib"\n${condition('!=')}`,
    `name = "app"\n${condition('<')}`,
  ]
  const holds = locks(
    'etc/dnf/versionlock.toml',
    `version = "1.0"\n${tables.map((one) => `[[packages]]\n${one}`).join('')}`,
  )
  t.ok(isHeld(holds, 'bash', undefined, '1-1'))
  t.notOk(isHeld(holds, 'shop', undefined, '1-1'))
  t.ok(isHeld(holds, 'shop', undefined, '2-1'))
  t.ok(isHeld(holds, 'shop', '1-1', '2-1'))
  t.notOk(isHeld(holds, 'shop', '3-1', '1-1'), 'an installed version goes on to the locked one')
  t.ok(isHeld(holds, 'lib', undefined, '1-1'))
  t.notOk(isHeld(holds, 'lib', '2-1', '3-1'))
  t.ok(isHeld(holds, 'app', undefined, '5-1'), 'a range is not worked out')
})

t.test('locks of zypper: patterns, versions, kinds and repositories', async (t) => {
  const text = [
    'type: package\nmatch_type: glob\nsolvable_name: shop-*',
    'type: pattern\nsolvable_name: games',
    'solvable_name: a[b',
    'type: package\nrepo: elsewhere\nsolvable_name: remote',
    'version: == 1-1\nsolvable_name: lib',
    'version: < 2\nsolvable_name: old',
    'version: != 2-1\nsolvable_name: frozen',
    'match_type: exact\ncase_sensitive: off\nsolvable_name: Base',
    'match_type: regex\nsolvable_name: ^re.$',
  ].join('\n\n')
  const holds = locks('etc/zypp/locks', `\n${text}\n`)
  const names = ['shop-db', 'games', 'shop', 'a[b', 'remote', 'old', 'base', 'rex', 'more']
  t.same(
    names.filter((name) => isHeld(holds, name, undefined, '9-1')),
    ['shop-db', 'a[b', 'old', 'base', 'rex'],
  )
  t.ok(isHeld(holds, 'lib', '1-1', '2-1'), 'locked where it is')
  t.ok(isHeld(holds, 'lib', undefined, '1-1'))
  t.notOk(isHeld(holds, 'lib', undefined, '2-1'))
  // Tried with the real zypper: such a lock freezes what is installed as well.
  t.ok(isHeld(holds, 'frozen', '1-1', '2-1'))
  t.notOk(isHeld(holds, 'frozen', undefined, '2-1'))
  t.equal(heldBy(holds, 'lib', '1-1')?.lift, "zypper removelock 'lib == 1-1'")
})
