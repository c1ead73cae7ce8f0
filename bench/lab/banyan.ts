// Banyan itself: packages published at the root, and the time from `release` to the last payload
// verified.

import { link, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Daemons, openDaemons, type Payload } from './daemons.ts'
import { bytesOf, type Load, treeOverheadBytes } from './load.ts'
import { familyOf, memoryOf } from './processes.ts'
import { createRot, scrubEvery } from './rot.ts'
import type { Lab } from './site.ts'
import { type Details, type Options, type Prepared, rootOf, type System, takersOf } from './system.ts'

/**
 * One look is a few system calls of the lab's own process; the daemons are not asked before all is
 * there.
 */
const lookEveryMs = 200
const statusEveryMs = 1_000
const timeoutMs = 1_200_000

interface Transfer {
  size: number
  state: string
  fromParent: number
  startedAt: number | null
  completedAt: number | null
}

export const banyan: System = { name: 'banyan', needs: {}, prepare }

async function prepare(lab: Lab, load: Load, { trouble, settles }: Options): Promise<Prepared> {
  const daemons = openDaemons(lab)
  await daemons.plant()
  const root = rootOf(lab)
  const payloads = await publish(lab, daemons, load, { installs: settles, rots: trouble === 'rot' })
  const rot =
    trouble === 'rot' && payloads[0] ? createRot(lab, daemons, payloads[0], (isSo) => until(isSo, 5_000)) : null
  const isOne = payloads.length === 1
  return {
    bytes: payloads.reduce((sum, { size }) => sum + size, 0),
    go: async () => {
      await daemons.ask(root, 'POST', '/release', { message: 'lab', allowRemovals: false })
      const gone = trouble === 'kill-taker' ? await killTaker(lab, daemons, bytesOf(load)) : undefined
      await rot?.unfinished()
      const takers = takersOf(lab).flatMap(({ name }) => (name === gone ? [] : [name]))
      const files = takers.flatMap((name) => payloads.map((payload) => daemons.fileOf(name, payload)))
      const times = await appeared(files)
      if (!isOne) return Math.max(...times)
      if (rot !== null) {
        await rot.whole()
        return Date.now()
      }
      const transfers = await Promise.all(takers.map((name) => completed(daemons, name)))
      return Math.max(...transfers.map(({ completedAt }) => completedAt ?? 0))
    },
    details: async (): Promise<Details> => {
      if (rot !== null) return await rot.details()
      if (settles) return { converged: await convergedOf(lab, daemons) }
      if (lab.plan.isLoopback !== true) return {}
      const [leech = ''] = takersOf(lab).map(({ name }) => name)
      const { startedAt, completedAt } = await completed(daemons, leech)
      const [seedPeak, leechPeak] = await Promise.all([root, leech].map((name) => enginePeak(daemons.pid(name))))
      const transferSeconds = ((completedAt ?? 0) - (startedAt ?? 0)) / 1000
      return { transferSeconds, ...(seedPeak && { seedPeak }), ...(leechPeak && { leechPeak }) }
    },
  }
}

/**
 * Each file as a package of its own, wanted by all nodes but the root. The peers install nothing;
 * where this is not to be measured either, it waits for a window, so that early nodes do not
 * install on the cores that the last ones still need.
 */
async function publish(
  lab: Lab,
  daemons: Daemons,
  load: Load,
  { installs, rots }: { installs: boolean; rots: boolean },
): Promise<Payload[]> {
  const root = rootOf(lab)
  const sources: string[] = []
  for (const [name, size] of load.sizes) {
    const source = path.join(lab.folder, 'packages', name)
    await mkdir(source, { recursive: true })
    await writeFile(path.join(source, 'banyan.yaml'), `name: ${name}\nversion: 1.0.0\n`)
    const [file, data] = [path.join(load.folder, name), path.join(source, 'data')]
    // Small files are cut, so that they have the size when packed that the others bring.
    if (load.sizes.size === 1) await link(file, data)
    else await writeFile(data, (await readFile(file)).subarray(0, size - treeOverheadBytes))
    sources.push(source)
  }
  const published = JSON.parse(await daemons.command(root, ['publish', ...sources, '--json'])) as { payload: Payload }[]
  const packages = [...load.sizes.keys()].map((name) => `${name}: latest`).join(', ')
  const hour = String((new Date().getHours() + 12) % 24).padStart(2, '0')
  const windows = `windows:\n  later: { from: '${hour}:00', until: '${hour}:59' }\n`
  const window = installs ? '' : '    window: later\n'
  const rules = `rules:\n  - nodes: all\n    except: [headquarters]\n    packages: { ${packages} }\n${window}`
  const limits = rots ? `limits:\n  - nodes: all\n    scrub: ${scrubEvery}\n` : ''
  const groups = `groups:\n  headquarters: { names: [${root}] }\n`
  await writeFile(path.join(daemons.homeOf(root), 'policy.yaml'), (installs ? '' : windows) + groups + limits + rules)
  return published.map(({ payload }) => payload)
}

/**
 * The node that takes most from the parent, when half of the load has come over the first link.
 * Returns its name.
 */
async function killTaker(lab: Lab, daemons: Daemons, bytes: number): Promise<string> {
  const before = (await lab.counted())[0]?.bytes ?? 0
  await until(async () => ((await lab.counted())[0]?.bytes ?? 0) - before >= bytes / 2, lookEveryMs)
  const takers = await Promise.all(
    takersOf(lab).map(async ({ name }) => ({ name, taken: (await transferOf(daemons, name))?.fromParent ?? 0 })),
  )
  const most = takers.reduce((a, b) => (b.taken > a.taken ? b : a))
  await lab.kill(most.name)
  return most.name
}

/** The times, in milliseconds since 1970, at which the files got their names. */
async function appeared(files: readonly string[]): Promise<number[]> {
  const times = new Map<string, number>()
  await until(async () => {
    for (const file of files) {
      if (times.has(file)) continue
      const found = await stat(file).catch(() => undefined)
      if (found === undefined) return false
      times.set(file, found.ctimeMs)
    }
    return true
  }, lookEveryMs)
  return [...times.values()]
}

async function completed(daemons: Daemons, machine: string): Promise<Transfer> {
  let transfer: Transfer | undefined
  await until(async () => {
    transfer = await transferOf(daemons, machine)
    return transfer?.state === 'complete'
  }, statusEveryMs)
  if (transfer === undefined) throw new Error(`${machine} has no transfer`)
  return transfer
}

/** Waits until all have. */
async function convergedOf(lab: Lab, daemons: Daemons): Promise<number> {
  const takers = takersOf(lab)
  for (const { name } of takers) {
    const isConverged = async () => {
      const { self } = (await daemons.ask(name, 'GET', '/status')) as { self: { converged: number | null } | null }
      return self?.converged === 1
    }
    await until(isConverged, statusEveryMs)
  }
  return takers.length
}

async function transferOf(daemons: Daemons, machine: string): Promise<Transfer | undefined> {
  const { transfers } = (await daemons.ask(machine, 'GET', '/status')) as { transfers: Transfer[] }
  return transfers[0]
}

async function enginePeak(daemon: number): Promise<number | undefined> {
  const engine = (await familyOf(daemon)).find(({ command }) => command.includes('engine-main'))
  return engine === undefined ? undefined : (await memoryOf(engine.pid)).peak
}

async function until(isSo: () => Promise<boolean>, everyMs: number): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs
  while (!(await isSo())) {
    if (Date.now() > giveUpAt) throw new Error(`not so after ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
