// What nodes may use: in their own settings, in the policy, and as their machines can bear.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { type GroupLimits, limitsForGroups, limitsInForce } from '../../src/model/node-limits.ts'
import { ratesAt } from '../../src/model/units/rates.ts'
import { type UploadFacts, type UploadGuard, uploadHeldBack } from '../../src/model/upload-guard.ts'
import { readUploadFacts } from '../../src/world/upload-facts.ts'

const policy: GroupLimits[] = [
  { line: 1, nodes: 'all', except: ['hq'], linkDownloadLimit: '10mbit', storeQuota: '50GB', metered: false },
  { line: 2, nodes: ['branch'], except: [], linkDownloadLimit: '2mbit', uploadLimit: '1MB/s' },
  { line: 3, nodes: ['train'], except: [], metered: 'true', diskReserve: '1GB' },
]
const inForce = (groups: string[], own = {}) => limitsInForce(limitsForGroups(policy, new Set(groups)), own)
const rates = (groups: string[], own = {}) => ratesAt(inForce(groups, own).bandwidth, 0, 'UTC').rates

t.test('of the policy later limits win, key by key, in the groups that they are for', async (t) => {
  t.match(rates([]), { upload: null, link: { download: 1_250_000 } })
  t.match(rates(['branch']), { upload: 1_000_000, link: { download: 250_000 } })
  t.match(rates(['hq']), { upload: null, link: { download: null } }, 'and not where they are excepted')
  t.match(inForce(['train']), { storeQuota: '50GB', diskReserve: '1GB', metered: 'true' })
})

t.test('what a node says of itself wins over the policy', async (t) => {
  t.match(rates(['branch'], { linkDownloadLimit: 'unlimited' }), { upload: 1_000_000, link: { download: null } })
  t.match(inForce(['train'], { metered: false, storeQuota: 5 }), { storeQuota: 5, diskReserve: '1GB', metered: false })
  const byDay = limitsForGroups(
    [{ line: 1, nodes: 'all', except: [], limitTimes: [{ from: '00:00', until: '24:00', uploadLimit: 7 }] }],
    new Set(),
  )
  t.equal(ratesAt(limitsInForce(byDay, {}).bandwidth, 0, 'UTC').rates.upload, 7)
  t.equal(ratesAt(limitsInForce(byDay, { uploadLimit: 9 }).bandwidth, 0, 'UTC').rates.upload, 9, 'also at that time')
})

function heldBack(guard: UploadGuard, facts: Partial<UploadFacts> = {}, was = false) {
  return uploadHeldBack({ load: null, onBattery: null, ...facts }, guard, was)
}

t.test('a machine gives nothing while it is busy, on its battery, or pays for traffic', async (t) => {
  t.equal(heldBack({}, { load: 99, onBattery: true }), null, 'unless nobody asks for that')
  t.match(heldBack({ metered: true }), /metered/)
  t.match(heldBack({ uploadOnBattery: false }, { onBattery: true }), /battery/)
  t.equal(heldBack({ uploadOnBattery: 'true' }, { onBattery: true }), null)
  t.equal(heldBack({ uploadOnBattery: 'false' }, { onBattery: null }), null, 'what is not known keeps nothing back')
  t.equal(heldBack({ uploadLoadMax: 1.5 }, { load: 1.5 }), null)
  t.equal(heldBack({ uploadLoadMax: '1.5' }, { load: 1.6 }), 'its load is 1.60 for each processor, over 1.5')
  t.equal(heldBack({ uploadLoadMax: 1.5 }), null)
})

t.test('a load that wavers about its limit does not turn giving on and off', async (t) => {
  t.match(heldBack({ uploadLoadMax: 1 }, { load: 0.9 }, true), /load/)
  t.equal(heldBack({ uploadLoadMax: 1 }, { load: 0.8 }, true), null)
  t.equal(heldBack({ uploadLoadMax: 1 }, { load: 0.9 }, false), null)
})

t.test('a machine is on its battery if it has one and nothing else is online', async (t) => {
  const supplies = async (found: Record<string, Record<string, string>>) => {
    const root = t.testdir({ proc: { loadavg: '3.00 2.00 1.00 1/100 1234\n' }, sys: {} })
    for (const [name, files] of Object.entries(found)) {
      const folder = path.join(root, 'sys/class/power_supply', name)
      await fs.mkdir(folder, { recursive: true })
      for (const [file, text] of Object.entries(files)) await fs.writeFile(path.join(folder, file), `${text}\n`)
    }
    return await readUploadFacts(path.join(root, 'proc'), path.join(root, 'sys'))
  }
  const [battery, mouse] = [{ type: 'Battery' }, { type: 'Battery', scope: 'Device' }]
  const { load } = await supplies({})
  t.ok((load ?? 0) > 0 && (load ?? 0) <= 3, 'the load is of each processor')
  t.match(await supplies({}), { onBattery: null })
  t.match(await supplies({ BAT0: battery, AC: { type: 'Mains', online: '0' } }), { onBattery: true })
  t.match(await supplies({ BAT0: battery, AC: { type: 'Mains', online: '1' } }), { onBattery: false })
  t.match(await supplies({ BAT0: battery, ucsi: { type: 'USB', online: '1' }, AC: { type: 'Mains', online: '0' } }), {
    onBattery: false,
  })
  t.match(await supplies({ AC: { type: 'Mains', online: '1' }, mouse }), { onBattery: false })
  t.match(await readUploadFacts('/nowhere', '/nowhere'), { load: null, onBattery: null })
})
