// The administrator's own settings, tried on the real apt and dpkg: what presumes sources or bends
// the meaning of a call is left out of it, and what is the administrator's will is respected.

import * as fs from 'node:fs/promises'
import t, { type Test } from 'tap'
import { conffileAnswers } from '../../src/reconcile/providers/deb/deb-settings.ts'
import { debWorld } from './deb-world.ts'
import { stepOf } from './packages.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

/** A machine with these settings of apt. */
async function machineWith(t: Test, ...settings: string[]) {
  const world = await debWorld(t)
  const file = `${world.root}/etc/apt/apt.conf.d/99own`
  const set = async (...lines: string[]) => {
    await fs.mkdir(file.replace(/\/[^/]*$/, ''), { recursive: true })
    await fs.writeFile(file, `${lines.join('\n')}\n`)
  }
  await set(...settings)
  return { ...world, set }
}

t.test('settings that presume sources or make a call something else do not bend ours', async (t) => {
  const { deb, ensure } = await machineWith(
    t,
    'APT::Default-Release "bookworm";',
    'APT::Get { Download-Only "true"; Download "false"; Simulate "true"; Print-URIs "true"; Only-Upgrade "true"; };',
    'APT::Get { Only-Source "true"; Upgrade "false"; Fix-Broken "true"; ReInstall "true"; Assume-No "true"; };',
    'APT::Install-Recommends "true"; APT::Install-Suggests "true"; APT::Get::AutomaticRemove "true";',
    'APT::Cache-Limit "1000"; APT::Status-Fd "1"; quiet "2";',
    'Dir::Cache::archives "/nonexistent/"; Dir::Cache::pkgcache "/nonexistent/a";',
    'DPkg::ConfigurePending "false"; DPkg::Chroot-Directory "/nonexistent"; DPkg::Run-Directory "/nonexistent";',
    'Debug::pkgDPkgPM "true"; Debug::NoLocking "true";',
  )
  const one = await deb({ name: 'shop', version: '1' }, 'Recommends: not-to-be-had', 'Suggests: neither')
  t.match(await ensure(stepOf('install', one)), [{ outcome: 'changed', version: '1' }])
  const two = await deb({ name: 'shop', version: '2' })
  t.match(await ensure(stepOf('upgrade', two, { from: '1' })), [{ outcome: 'changed', version: '2' }])
  t.match(await ensure(stepOf('remove', two)), [{ outcome: 'changed', version: null }])
})

t.test('force-confnew of the administrator decides about changed configuration files, and is told', async (t) => {
  const { deb, ensure, root } = await machineWith(t, 'DPkg::Options { "--force-confnew"; };')
  const conffiles = (text: string) => ({ '/etc/shop.conf': `packaged ${text}\n` })
  await ensure(stepOf('install', await deb({ name: 'shop', version: '1', conffiles: conffiles('1') })))
  await fs.writeFile(`${root}/etc/shop.conf`, 'mine\n')
  const two = await deb({ name: 'shop', version: '2', conffiles: conffiles('2') })
  t.match(await ensure(stepOf('upgrade', two, { from: '1' })), [
    { outcome: 'changed', detail: /replaced changed \/etc\/shop\.conf by this machine's force-confnew/ },
  ])
  t.equal(await fs.readFile(`${root}/etc/shop.conf`, 'utf8'), 'packaged 2\n')
  t.equal(await fs.readFile(`${root}/etc/shop.conf.dpkg-old`, 'utf8'), 'mine\n')
})

t.test('a hook of the administrator that fails afterwards is told, and one that fails before is a veto', async (t) => {
  const { deb, ensure, set, look } = await machineWith(t, 'DPkg::Post-Invoke { "exit 3"; };')
  const one = await deb({ name: 'shop', version: '1' })
  t.match(await ensure(stepOf('install', one)), [
    { outcome: 'changed', detail: /hook DPkg::Post-Invoke 'exit 3' of this machine failed/ },
  ])
  const other = await deb({ name: 'shop', version: '1', files: { b: 'other' } })
  t.match(await ensure(stepOf('reinstall', other, { from: '1', previous: one })), [{ outcome: 'changed' }])
  await set('DPkg::Pre-Invoke { "exit 4"; };')
  const two = await deb({ name: 'shop', version: '2' })
  t.match(await ensure(stepOf('upgrade', two, { from: '1' })), [
    { outcome: 'failed', version: '1', detail: /DPkg::Pre-Invoke 'exit 4'/ },
  ])
  await set('APT::Get::Remove "false";')
  t.match(await ensure(stepOf('remove', one)), [{ outcome: 'failed', version: '1', detail: /remove is disabled/ }])
  await set('Dir "', 'x')
  t.match(await ensure(stepOf('upgrade', two, { from: '1' })), [
    { outcome: 'failed', version: '1', detail: /yntax error .*apt\.conf\.d\/99own/ },
  ])
  t.match(await look('shop'), { version: '1', state: 'whole' })
})

t.test('which answers dpkg gets about changed configuration files', async (t) => {
  const keep = ['--force-confdef', '--force-confold']
  t.same(conffileAnswers('', ''), keep)
  t.same(conffileAnswers('# force-confnew\nno-debsig\nlog /var/log/dpkg.log', ''), keep)
  t.same(conffileAnswers('force-confnew # ours', ''), [])
  t.same(conffileAnswers('force-confold', '--force-confnew'), keep)
  t.same(conffileAnswers('force-confmiss', '--force-confdef\n--force-confmiss,confnew'), [])
})
