import t from 'tap'
import { parseSettings } from '../../../src/model/settings.ts'
import { homeAt } from '../../../src/node/setup/home.ts'
import { joinAgain } from '../../../src/node/setup/join-again.ts'
import { nextIn, saveNext, settleNext } from '../../../src/node/setup/next-identity.ts'
import { loadSettings, settingsText } from '../../../src/node/setup/settings-file.ts'
import { loadIdentity, nodeIdentityFrom, saveIdentity } from '../../../src/trust/identity.ts'
import type { World } from '../../../src/world/world.ts'
import { acme, failureOf } from '../../trust/acme.ts'
import { memoryDisk } from '../../trust/memory-disk.ts'
import { createTestFleet } from '../../world/fleet.ts'

const home = homeAt('/var/lib/banyan')
const parents = ['https://10.1.0.1:7420']
const settings = parseSettings({ name: 'n1', parents }, 'n1')

async function nodeHere() {
  const disk = memoryDisk()
  const fleet = await createTestFleet('one', Date.now())
  await disk.makeFolder(home.dir)
  await saveIdentity(home.keys, await fleet.node('n1'), disk)
  await disk.write(home.settings, settingsText(settings))
  return { disk, fleet }
}

t.test('a home of another fleet does not join by this token, and nothing of it changes', async (t) => {
  const { disk } = await nodeHere()
  const root = await acme({ name: 'other' })
  const token = await root.fleet.createToken({ ttlMs: 3600_000, uses: 1, parents })
  const before = disk.picture()
  const world = { disk, clock: root.clock, random: root.random } as unknown as World
  const failure = await failureOf(joinAgain(world, { token, home: home.dir }))
  t.match(failure, { code: 'conflict', message: /another fleet.*of other/, hint: /banyan token create/ })
  t.same(disk.picture(), before)
})

t.test('a home is what it was or what it will be, wherever the change is cut off', async (t) => {
  const renamed = settingsText({ ...settings, name: 'n2' })
  const steps = ['node.yaml', 'node.key.pem', 'ca.crt.pem', 'node.crt.pem']
  for (const [written] of steps.entries()) {
    const { disk, fleet } = await nodeHere()
    await saveNext(home, await fleet.node('n2'), renamed, disk)
    for (const file of steps.slice(written)) await disk.remove(`${nextIn(home)}/${file}`)
    await settleNext(home, disk)
    t.equal((await loadIdentity(home.keys, disk)).name, 'n1', `only ${written} files are written`)
  }
  for (const moved of [0, 1, 2]) {
    const { disk, fleet } = await nodeHere()
    const next = await fleet.node('n2')
    await saveNext(home, next, renamed, disk)
    if (moved > 0) await disk.write(`${home.keys}/node.key.pem`, next.key, { mode: 0o600 })
    if (moved > 1) await disk.write(`${home.keys}/node.crt.pem`, next.certificate)
    await settleNext(home, disk)
    await settleNext(home, disk)
    t.equal((await loadIdentity(home.keys, disk)).keyId, nodeIdentityFrom(next).keyId)
    t.equal((await loadSettings(disk, home.settings)).name, 'n2')
    t.equal(await disk.stat(nextIn(home)), undefined)
  }
})
