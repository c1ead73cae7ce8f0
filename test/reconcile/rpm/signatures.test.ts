// Signatures demanded: one behaviour, whichever of rpm, dnf and zypper demands them, and whichever
// carries the change out.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { systemExec } from '../../../src/world/exec.ts'
import { run } from '../../repository/workbench.ts'
import { inRoot } from '../rpm-machine.ts'
import { type RpmWorld, rpmWorlds } from './rpm-world.ts'

t.setTimeout(1_200_000)
const { always } = rpmWorlds(t)
const keys = t.testdir({})
// gpg leaves a process running.
t.teardown(() => run('gpgconf', ['--homedir', `${keys}/gnupg`, '--kill', 'all']))

always('signatures demanded: a package without one fails and says so, a signed one comes', async (t, world) => {
  const unsigned = await world.install({ name: 'shop', version: '1-1' })
  const signed = await world.install({ name: 'signed', version: '1-1' })
  signWith(await keyIn(keys), signed.action.source?.path as string)
  for (const [demand, by] of [
    [() => demandByRpm(world), '%_pkgverify_level signature of rpm'],
    [() => world.write('/etc/dnf/dnf.conf', '[main]\nlocalpkg_gpgcheck = 1\n'), 'localpkg_gpgcheck in dnf.conf'],
    [() => world.write('/etc/zypp/zypp.conf', '[main]\npkg_gpgcheck = on\n'), 'pkg_gpgcheck in zypp.conf'],
  ] as const) {
    await demand()
    t.match(await world.ensure(unsigned, signed), [
      {
        outcome: 'failed',
        version: null,
        detail: `the package has no signature, and this machine takes only signed packages (${by})`,
      },
      {
        outcome: 'failed',
        version: null,
        detail: /^the package is signed with key \w+, which the machine does not know: rpm --import/,
      },
    ])
    delete world.stand.in
    await fs.rm(`${world.root}/etc/dnf/dnf.conf`, { force: true })
    await fs.rm(`${world.root}/etc/zypp/zypp.conf`, { force: true })
  }
  await inRoot(world.root, '--import', `${keys}/public.asc`)
  await demandByRpm(world)
  t.match(await world.ensure(unsigned, signed), [
    { outcome: 'failed', version: null, detail: /has no signature/ },
    { outcome: 'changed', version: '1-1' },
  ])
})

/** As a line in /etc/rpm/macros does, for all programs. */
async function demandByRpm(world: RpmWorld): Promise<void> {
  const home = `${world.root}/root`
  world.stand.in = async (asked) => {
    const at = asked.env?.['HOME'] ?? home
    await fs.mkdir(at, { recursive: true })
    await fs.appendFile(`${at}/.rpmmacros`, '%_pkgverify_level signature\n')
    return await systemExec.run({ ...asked, env: { ...asked.env, HOME: at } })
  }
}

async function keyIn(folder: string): Promise<string> {
  const home = `${folder}/gnupg`
  if (await fs.stat(home).catch(() => undefined)) return home
  await fs.mkdir(home, { mode: 0o700 })
  const gpg = ['--homedir', home, '--batch', '--pinentry-mode', 'loopback', '--passphrase', '']
  run('gpg', [...gpg, '--quick-generate-key', 'tester@example.org', 'rsa2048', 'sign', 'never'])
  run('gpg', [...gpg, '--armor', '--output', `${folder}/public.asc`, '--export'])
  return home
}

function signWith(home: string, file: string): void {
  const defines = { __gpg: '/usr/bin/gpg', _gpg_name: 'tester@example.org', _gpg_path: home }
  run('rpmsign', [
    ...Object.entries(defines).flatMap(([key, value]) => ['--define', `${key} ${value}`]),
    '--addsign',
    file,
  ])
}
