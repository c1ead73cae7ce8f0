import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { incidentText } from '../../../src/node/disk/database-incident.ts'
import { openKeptStore } from '../../../src/node/disk/kept-store.ts'
import { counterAfter, type KeptCounter, keptCounterAfter, keptValues } from '../../../src/node/disk/kept-values.ts'
import { loadSaved } from '../../../src/node/state/remembered.ts'
import type { InstalledRecord } from '../../../src/reconcile/actual.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { systemDisk } from '../../../src/world/disk.ts'
import { systemRandom } from '../../../src/world/random.ts'
import { openLevelStore } from '../../../src/world/store/store.ts'
import { damages } from '../../world/database-damage.ts'

const warnings: string[] = []
const log = { debug() {}, info() {}, warn: (message: string) => void warnings.push(message), error() {} }
const world = { disk: systemDisk, clock: systemClock, random: systemRandom, log, openStore: openLevelStore }

function recordOf(name: string, version = '1.0', revision = 1): InstalledRecord {
  const [manifest, payload] = ['a'.repeat(64), 'b'.repeat(64)]
  return { name, kind: 'tree', version, manifest, payload, revision, state: 'installed', foundThere: false }
}

const progress = { openedAt: 1, settledAt: null, forgiven: ['till-1'] }

/** A home whose database has tables and a log, closed or not at its end. */
async function used(home: string): Promise<void> {
  const store = await openKeptStore(world, { path: `${home}/state`, dir: `${home}/kept` })
  await store.put('records', [recordOf('old')])
  for (let from = 0; from < 1200; from += 50) {
    const keys = Array.from({ length: 50 }, (_, index) => `signed/${from + index}`)
    await store.sub('inbox').batch(keys.map((key) => ({ kind: 'put', key, value: key.repeat(70) })))
  }
  await store.batch([
    { kind: 'put', key: 'records', value: [recordOf('shop', '2.0', 7), recordOf('till')] },
    { kind: 'put', key: 'restarts', value: [] },
  ])
  await store.sub('rollouts').put('careful@7', progress)
  await store.sub('rollouts').put('old@6', progress)
  await store.sub('rollouts').delete('old@6')
  await store.put('remembered', { site: 'berlin', facts: { arch: 'amd64' }, reportedTo: 'root' })
  for (const counter of [5_000, 5_001, 5_002]) await store.put('report-counter', counter)
  await store.close()
}

t.test('what cannot be had again is there after every damage of the database', async (t) => {
  const folder = t.testdir({})
  await used(`${folder}/whole`)
  for (const [name, damage] of Object.entries(damages)) {
    await t.test(name, async (t) => {
      const home = `${folder}/${name.replaceAll(' ', '-')}`
      cpSync(`${folder}/whole`, home, { recursive: true })
      damage(`${home}/state`)
      const store = await openKeptStore(world, { path: `${home}/state`, dir: `${home}/kept` })
      const { records } = await loadSaved(store)
      // A log that lost its end brings back a record of before; the next look forgets it.
      const known = records.filter(({ name: each }) => each !== 'old' || !/log/.test(name))
      t.same(known, [recordOf('shop', '2.0', 7), recordOf('till')], 'the records of what is installed')
      t.ok(Number(await store.get('report-counter')) >= 5_002, 'the counter has not fallen')
      t.same(await store.get('remembered'), { site: 'berlin', facts: { arch: 'amd64' }, reportedTo: 'root' })
      t.same(await store.sub('rollouts').get('careful@7'), progress)
      const incident = store.incident()
      if (/missing$|empty$|file$/.test(name) && !/log/.test(name)) t.ok(incident, 'a person is told')
      if (incident) t.notMatch(incidentText(incident), /leveldb|corruption|IO error/i)
      await store.close()
      const again = await openKeptStore(world, { path: `${home}/state`, dir: `${home}/kept` })
      t.same(again.incident(), incident, 'and is still told after a restart')
      t.same((await loadSaved(again)).records, records)
      await again.close()
    })
  }
})

t.test('a copy that is damaged or gone is made anew from the database', async (t) => {
  const home = t.testdir({})
  await used(home)
  const file = `${home}/kept/records.json`
  const text = readFileSync(file, 'utf8')
  for (const damage of [
    () => writeFileSync(file, text.replace('"2.0"', '"2.1"')),
    () => writeFileSync(file, text.slice(0, 40)),
    () => writeFileSync(file, ''),
    () => rmSync(`${home}/kept`, { recursive: true }),
  ]) {
    damage()
    const store = await openKeptStore(world, { path: `${home}/state`, dir: `${home}/kept` })
    t.equal((await loadSaved(store)).records.length, 2)
    t.equal(store.incident(), null)
    await store.close()
    t.equal(readFileSync(file, 'utf8'), text)
  }
})

t.test('an older database beside its copy does not take the node back', async (t) => {
  const home = t.testdir({})
  await used(home)
  cpSync(`${home}/state`, `${home}/older`, { recursive: true })
  const open = () => openKeptStore(world, { path: `${home}/state`, dir: `${home}/kept` })
  const store = await open()
  await store.put('records', [recordOf('shop', '3.0', 9), recordOf('desk', '1.0', 9)])
  const counter = 5_000 + 3 * 24 * 3600_000
  await store.put('report-counter', counter)
  await store.close()
  rmSync(`${home}/state`, { recursive: true })
  cpSync(`${home}/older`, `${home}/state`, { recursive: true })
  const again = await open()
  const { records } = await loadSaved(again)
  t.same(records, [recordOf('desk', '1.0', 9), recordOf('shop', '3.0', 9), recordOf('till')], 'all of both')
  t.ok(Number(await again.get('report-counter')) >= counter)
  await again.close()
})

t.test('reports do not write the copy of their counter each time', async (t) => {
  const home = t.testdir({})
  let writes = 0
  const disk = {
    ...systemDisk,
    writeAll: (...args: Parameters<typeof systemDisk.writeAll>) => {
      writes += 1
      return systemDisk.writeAll(...args)
    },
  }
  const from = 1_800_000_000_000
  let now = from
  const clock = { ...systemClock, now: () => now }
  const store = await openKeptStore({ ...world, disk, clock }, { path: `${home}/state`, dir: `${home}/kept` })
  writes = 0
  for (let beat = 0; beat < 200; beat += 1) {
    now = from + beat * 15 * 60_000
    await store.put('report-counter', now)
  }
  t.ok(writes <= 4, `${writes} writes in 200 heartbeats of a quarter of an hour`)
  await store.put('remembered', { site: null })
  await store.put('remembered', { site: null })
  t.ok(existsSync(`${home}/kept/remembered.json`))
  t.ok(writes <= 5, 'nor what has not changed')
  await store.close()
})

t.test('the counter never falls, whichever of the two copies is lost or old', (t) => {
  const hour = 3600_000
  const run = fc.record({
    steps: fc.array(fc.integer({ min: -3 * hour, max: 30 * hour }), { minLength: 1, maxLength: 30 }),
    damage: fc.constantFrom('lost', 'told', 'older'),
    back: fc.nat({ max: 30 }),
    again: fc.integer({ min: 0, max: 40 }),
  })
  fc.assert(
    fc.property(run, ({ steps, damage, back, again }) => {
      let copy: KeptCounter = { used: 0, below: 0 }
      let now = 1_800_000_000_000
      let [newest, highestClock] = [0, now]
      const all: number[] = []
      const report = (last: number) => {
        newest = Math.max(last + 1, now)
        copy = keptCounterAfter(copy, newest, now)
        all.push(newest)
      }
      const step = (ms: number) => {
        now += ms
        highestClock = Math.max(highestClock, now)
        report(newest)
      }
      for (const ms of steps) step(ms)
      const old = all[Math.max(0, all.length - 1 - back)]
      // Damage that nobody sees is covered by the clock, where the clock did not go back as well.
      if (damage === 'older') now = highestClock + 1
      const highest = newest
      const stored = damage === 'lost' ? undefined : old
      const after = Number(counterAfter(copy, stored, damage === 'told'))
      if (after !== stored) copy = { used: 0, below: 0 }
      report(after)
      if (newest <= highest) return false
      // And the same again, with a counter that is ahead of the clock by now.
      for (let n = 0; n < again; n += 1) report(newest)
      const second = newest
      now += 1
      const first = all[Math.max(0, all.length - 1 - back)]
      report(Number(counterAfter(copy, first, false)))
      return newest > second
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('of two copies of the records, none is lost and the plain one holds', (t) => {
  const records = fc.uniqueArray(
    fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), version: fc.constantFrom('1', '2') }),
    { selector: ({ name }) => name },
  )
  fc.assert(
    fc.property(records, records, (one, other) => {
      const toRecords = (list: typeof one) => list.map(({ name, version }) => recordOf(name, version))
      const merged = keptValues['records']?.(toRecords(one), toRecords(other)) as InstalledRecord[]
      const names = new Set([...one, ...other].map(({ name }) => name))
      return (
        merged.length === names.size &&
        one.every((each) => merged.some((found) => found.name === each.name && found.version === each.version))
      )
    }),
  )
  t.end()
})
