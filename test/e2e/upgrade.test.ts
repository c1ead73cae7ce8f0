// Real upgrades in a real Debian: openssl and its library from the archive, installed into the
// system that runs, upgraded, taken back by the policy, and rolled back, by the daemon as a
// service.

import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { fetchChain, missingForDebian } from './debian-archive.ts'
import { boot, debianTree, missingForTree } from './debian-tree.ts'

const missing = (await missingForDebian()) ?? (await missingForTree())
const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'
const together = ['openssl', 'libssl3']

t.setTimeout(600_000)

/**
 * `goes NAME` waits until the machine is as the newest revision wants it, and notes what it then
 * has.
 */
const script = (older: string, newest: string) => `
export BANYAN_HOME=/var/lib/banyan PATH=/usr/lib/banyan/node_modules/.bin:$PATH LANG=C.UTF-8
banyan() { node /usr/lib/banyan/src/cli/banyan.js "$@"; }
goes() {
  for _ in $(seq 300); do banyan check >/result/$1-check 2>&1 && break; read -rt 0.2 <> <(:) || :; done
  dpkg-query -W -f '\${Package} \${Version} \${Status}\\n' openssl libssl3 >/result/$1
  openssl version >>/result/$1 2>&1
  dpkg --audit >>/result/$1
}
wants() {
  printf 'rules:\\n  - nodes: all\\n    packages: { openssl: "%s", libssl3: "%s" }\\n' $1 $1 >$BANYAN_HOME/policy.yaml
  banyan release --allow-removals >/result/release 2>&1
}
banyan init --home $BANYAN_HOME --name root --listen 127.0.0.1
systemctl start banyan
banyan publish /result/debs/*.deb >/result/publish 2>&1
wants ${older}
goes installed
wants ${newest}
goes upgraded
wants ${older}
goes downgraded
banyan rollback 2 >/result/rollback 2>&1
goes rolled-back
banyan node-info root --json >/result/report
`

t.test('real upgrade pairs', { skip: isCi ? false : (missing ?? false) }, async (t) => {
  t.setTimeout(600_000)
  if (missing !== undefined) throw new Error(missing)
  const folder = await mkdtemp(path.join(os.tmpdir(), 'banyan-upgrade-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [tree, { newest, older, olderIs }] = await Promise.all([debianTree(), fetchChain(folder, 'openssl', together)])
  const versionIn = (debs: typeof newest) => debs.get('openssl')?.version ?? ''
  t.comment(`openssl ${versionIn(older)} (${olderIs}) and ${versionIn(newest)}`)
  const result = await boot(tree, script(versionIn(older), versionIn(newest)), async (into) => {
    await mkdir(path.join(into, 'debs'))
    for (const debs of [older, newest]) {
      for (const name of together) {
        const { file, version } = debs.get(name) ?? { file: '', version: '' }
        await copyFile(file, path.join(into, 'debs', `${name}_${version.replaceAll(':', '-')}.deb`))
      }
    }
    await writeFile(path.join(into, 'versions'), `${versionIn(older)}\n${versionIn(newest)}\n`)
  })
  t.teardown(() => rm(result, { recursive: true, force: true }))
  const noted = (name: string) => {
    const file = path.join(result, name)
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : `${name} was not written`
  }
  t.teardown(() => {
    if (!t.passing())
      for (const name of ['log', 'publish', 'release', 'rollback', 'report']) t.comment(name, noted(name))
  })

  for (const [step, debs] of [
    ['installed', older],
    ['upgraded', newest],
    ['downgraded', older],
    ['rolled-back', newest],
  ] as const) {
    const lines = noted(step).split('\n')
    const wanted = [...together].sort().map((name) => `${name} ${debs.get(name)?.version} install ok installed`)
    t.same(lines.slice(0, 2), wanted, `${step}: dpkg has what was wanted, wholly`)
    t.match(lines[2], /^OpenSSL 3/, `${step}: the program runs with its library`)
    t.equal(lines.length, 3, `${step}: dpkg --audit has nothing to say`)
    t.match(noted(`${step}-check`), /^no difference to revision \d$/)
  }
  t.match(noted('rollback'), /released revision 4 with 2 packages/)
  const { report } = JSON.parse(noted('report'))
  t.match(report, { state: 'converged', converged: 4, problems: [] }, 'and the daemon knows')
})
