// A node's home with real signed metadata, a target root of its own, and the real apply process.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { Test } from 'tap'
import { type DesiredPackage, desiredFor } from '../../src/model/desired.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import type { Outcome } from '../../src/model/report.ts'
import type { Revision } from '../../src/model/revision.ts'
import type { InstalledRecord } from '../../src/reconcile/actual.ts'
import { type Difference, differencesBetween } from '../../src/reconcile/differences.ts'
import { outcomesKept } from '../../src/reconcile/kept.ts'
import { type LocalMachine, openLocalMachine } from '../../src/reconcile/machine.ts'
import { inspectAll, providersFor } from '../../src/reconcile/providers/providers.ts'
import { recordsAfter } from '../../src/reconcile/records.ts'
import { openFleet } from '../../src/trust/fleet.ts'
import { initFleet } from '../../src/trust/fleet-init.ts'
import { openTrust } from '../../src/trust/trust-store.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { systemRandom } from '../../src/world/random.ts'
import { publishRevision } from '../trust/acme.ts'
import { type Built, buildDeb, buildRpm, buildTree, type Wanted } from './packages.ts'

export type Released = Record<string, Built | 'absent'>

export interface ApplyWorld {
  home: string
  targetRoot: string
  parts: Parameters<typeof openLocalMachine>[0]
  machine: LocalMachine
  tree(wanted: Wanted): Promise<Built>
  deb(wanted: Wanted): Promise<Built>
  rpm(wanted: Wanted): Promise<Built>
  /** Signs a revision that wants exactly these packages, or also newer versions of them. */
  release(packages: Released, terms?: { orNewer?: true; least?: string }): Promise<void>
  look(): ReturnType<LocalMachine['look']>
  /** Compares every byte of every file, which a daemon's look does not. */
  lookFully(): Promise<{ differences: Difference[]; kept: Outcome[] }>
  /** Looks, applies the plan, and keeps the records as a daemon does. */
  converge(): ReturnType<LocalMachine['apply']>
  records: InstalledRecord[]
  /**
   * Finishes earlier applies, as a daemon does when it starts. `dies`: before it has stored what
   * they did.
   */
  restart(options?: { dies?: boolean }): Promise<{ name: string; outcome: string }[]>
}

export async function applyWorld(t: Test): Promise<ApplyWorld> {
  const folder = t.testdir({ home: { store: {}, objects: {} }, root: {} })
  const home = path.join(folder, 'home')
  const targetRoot = path.join(folder, 'root')
  const real = { clock: systemClock, random: systemRandom, disk: systemDisk }
  const log = { warn: () => {}, debug: () => {}, info: () => {}, error: () => {} }
  await initFleet({ dir: home, name: 'acme', nodeName: 'root', ...real })
  const fleet = await openFleet({ dir: home, ...real })
  const trust = await openTrust({ dir: path.join(home, 'tuf'), ...real, log })
  const parts = { home, targetRoot, exec: systemExec, ...real }
  // A timer of the clock does not keep a process alive. A daemon has its server for that.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))

  let revision: Revision = { schema: 1, number: 0, released: 0, message: '', groups: {}, rules: [] }
  const manifests = new Map<string, Manifest>()
  const store = path.join(home, 'store')
  const traits = { name: 'root', site: '', arch: 'amd64' as const, labels: {}, facts: {} }
  const desiredNow = (): DesiredPackage[] => desiredFor(revision, traits)
  const world: ApplyWorld = {
    home,
    targetRoot,
    parts,
    machine: openLocalMachine(parts),
    tree: (wanted) => buildTree(store, wanted),
    deb: (wanted) => buildDeb(store, wanted),
    rpm: (wanted) => buildRpm(store, wanted),
    records: [],

    async release(packages, terms = {}) {
      const wanted = await Promise.all(
        Object.entries(packages).map(async ([name, built]) => {
          if (built === 'absent') return [name, { state: 'absent' as const }] as const
          const { manifest, digest } = built
          manifests.set(digest, manifest)
          await fs.writeFile(path.join(home, 'objects', digest), JSON.stringify(manifest))
          const build = { version: manifest.version, manifest: digest }
          return [name, { state: 'present' as const, builds: { all: build }, ...terms }] as const
        }),
      )
      const rule = { line: 1, nodes: 'all' as const, except: [], packages: Object.fromEntries(wanted) }
      revision = { ...revision, number: revision.number + 1, rules: [rule] }
      await publishRevision(fleet, new TextEncoder().encode(JSON.stringify(revision)))
      await trust.refresh((file) => fleet.file(file))
    },

    async look() {
      const desired = desiredNow()
      const digest = trust.current()?.revision?.sha256 ?? ''
      const looked = await world.machine.look({
        revision: { number: revision.number, digest },
        desired,
        manifests,
        records: world.records,
        converged: null,
        later: [],
        timing: { windows: {}, now: 0, timeZone: () => 'UTC' },
        payloadPath: async ({ payload }) => path.join(store, payload.sha256),
      })
      world.records = looked.records
      return looked
    },

    async lookFully() {
      const { plan } = await world.look()
      const about = { desired: desiredNow(), manifests, installed: world.records }
      const actual = await inspectAll(providersFor(parts), { ...about, depth: 'full' })
      const differences = differencesBetween({ ...about, actual, revision: revision.number, converged: null })
      return { differences, kept: outcomesKept({ ...about, actual, differences, plan }) }
    },

    async converge() {
      const { plan } = await world.look()
      const applied = await world.machine.apply(plan)
      world.records = recordsAfter(world.records, applied.plan, applied.outcomes)
      await world.machine.stored([applied.txid])
      return applied
    },

    async restart({ dies = false } = {}) {
      world.machine = openLocalMachine(parts)
      const ended = await world.machine.finishEarlier()
      if (!dies) {
        for (const { plan, outcomes } of ended) world.records = recordsAfter(world.records, plan, outcomes)
        await world.machine.stored(ended.map(({ txid }) => txid))
      }
      return ended.flatMap(({ outcomes }) => outcomes.map(({ name, outcome }) => ({ name, outcome })))
    },
  }
  return world
}

/**
 * A script that goes on once `file` exists in the node's home. It gives up after 20 s, so a failed
 * test leaves nothing running.
 */
export function waitFor({ home }: ApplyWorld, file: string): string {
  return `for n in $(seq 400); do test -e '${path.join(home, file)}' && exit 0; sleep 0.05; done; exit 1`
}

export async function begun({ home }: ApplyWorld, txid: string, step = /preInstall/): Promise<void> {
  const journal = path.join(home, 'apply', txid, 'journal.ndjson')
  await until(async () => step.test(await fs.readFile(journal, 'utf8').catch(() => '')))
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 2000; n += 1) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it never came to that')
}
