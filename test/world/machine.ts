// The packages of a simulated machine, in memory. A test can make them fail and change them by
// hand. The real code decides what differs, what is planned and what may be installed; only the
// installing itself is simulated.

import { join } from 'node:path'
import { Failure } from '../../src/model/failure.ts'
import { type Kind, kindSchema } from '../../src/model/manifest.ts'
import type { PackageName, PackageVersion, Sha256 } from '../../src/model/names.ts'
import type { Outcome } from '../../src/model/report.ts'
import type { Actual } from '../../src/reconcile/actual.ts'
import { outcomesAfterAbort } from '../../src/reconcile/apply/aborted.ts'
import { runApply } from '../../src/reconcile/apply/apply-run.ts'
import type { EndedApply } from '../../src/reconcile/apply/ended-apply.ts'
import { outcomesKept } from '../../src/reconcile/kept.ts'
import type { LocalMachine } from '../../src/reconcile/machine.ts'
import type { LookRequest } from '../../src/reconcile/machine-look.ts'
import { type Plan, planFor } from '../../src/reconcile/plan.ts'
import { outcomeOf, type Provider, type Step } from '../../src/reconcile/providers/provider.ts'
import { recordsStanding } from '../../src/reconcile/records.ts'
import { isDue, withRestarts } from '../../src/reconcile/restarts.ts'
import { waitsFor } from '../../src/reconcile/waits.ts'
import { differencesWithLater } from '../../src/reconcile/waves.ts'
import { verifyOffline } from '../../src/trust/trust-store.ts'
import type { World } from '../../src/world/world.ts'
import type { SimulatedNode } from './simulation.ts'

export interface Installation {
  name: PackageName
  version: PackageVersion
  /** SHA-256 of the bytes that were installed, as they lay on the disk. */
  sha256: Sha256
}

/** Outlasts the daemon. Installed packages outlast a power cut, too. */
export interface SimulatedMachine {
  /** The machine for the daemon of one life. */
  open(world: World, home: string): LocalMachine
  /** The installed packages, sorted by name. */
  packages(): Actual[]
  /** Makes the installation of a package or of one version fail, until it is mended. */
  breakPackage(name: PackageName, version?: PackageVersion): void
  mendPackage(name: PackageName): void
  /** Somebody changes the machine by hand. */
  change(name: PackageName, to: 'removed' | 'damaged' | { version: PackageVersion }): void
  onInstall(see: (installation: Installation) => void): void
}

/** One apply, from its start until a daemon has stored its outcomes. */
interface Transaction {
  txid: string
  plan: Plan
  attempted: PackageName[]
  ended: Promise<void>
  damaged: Set<Sha256>
  state: { kind: 'running' } | { kind: 'finished'; outcomes: Outcome[] } | { kind: 'interrupted' }
}

/** How long installing or removing one package takes. */
const packageMs = 400

export function simulatedMachine(node: SimulatedNode): SimulatedMachine {
  const installed = new Map<string, Actual>()
  /** Names, or names and versions. */
  const broken = new Set<string>()
  const onInstall = new Set<(installation: Installation) => void>()
  let transactions: Transaction[] = []
  let begun = 0

  const find = (kind: Kind, name: PackageName) => installed.get(`${kind}/${name}`)
  const put = (actual: Actual) => installed.set(`${actual.kind}/${actual.name}`, actual)
  const sorted = () => [...installed.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const after = (ms: number) => new Promise<void>((resolve) => node.machine.clock.after(ms, resolve))

  async function ensureOne({ action, manifest }: Step): Promise<Outcome> {
    const { kind, name, source } = action
    const before = find(kind, name)
    if (before !== undefined) put({ ...before, state: 'broken', found: 'half done' })
    if (manifest === null) {
      await after(packageMs)
      installed.delete(`${kind}/${name}`)
      return outcomeOf({ action, before, after: undefined, acted: true })
    }
    if (source === null || action.to === null) throw new TypeError('an installation without a source')
    const next: Actual & { version: PackageVersion } = {
      name,
      kind,
      version: action.to,
      state: 'whole',
      found: '',
      held: false,
      payload: source.payload,
    }
    put({ ...next, state: 'broken', found: 'half done' })
    const sha256 = await node.machine.disk.sha256(source.path)
    for (const see of onInstall) see({ name, version: next.version, sha256 })
    await after(packageMs)
    const fails = broken.has(name) || broken.has(`${name} ${next.version}`)
    if (!fails) put(next)
    else if (before !== undefined && (kind === 'tree' || action.previous !== null)) put(before)
    else installed.delete(`${kind}/${name}`)
    const problem = fails ? `${name} does not want to be installed here` : undefined
    return outcomeOf({ action, before, after: find(kind, name), acted: true, problem })
  }

  const providers = new Map(
    kindSchema.options.map((kind): [Kind, Provider] => [
      kind,
      {
        kind,
        inspect: async (names) => names.flatMap((name) => find(kind, name) ?? []),
        ensure: async (steps) => {
          const outcomes: Outcome[] = []
          for (const step of steps) outcomes.push(await ensureOne(step))
          return outcomes
        },
      },
    ]),
  )

  /**
   * Stands for the apply process: checks everything again, and outlives the daemon but not a power
   * cut.
   */
  function begin(plan: Plan, home: string): Transaction {
    const { disk, life } = node.machine
    begun += 1
    const transaction: Transaction = {
      txid: String(begun),
      plan,
      attempted: [],
      ended: Promise.resolve(),
      damaged: new Set(),
      state: { kind: 'running' },
    }
    const run = async () => {
      const outcomes = await runApply({
        plan,
        home,
        targetRoot: '/',
        providers,
        disk,
        copyFile: async (from, to) => await disk.write(to, await disk.read(from), { mode: 0o400 }),
        trustedRevision: async () => {
          const { revision } = await verifyOffline(join(home, 'tuf'), disk)
          if (revision === null) throw new Failure('untrusted', 'the signed metadata names no revision')
          return revision.sha256
        },
        context: {
          workFolder: join(home, 'apply'),
          journal: async (_, name) => void (name !== undefined && transaction.attempted.push(name)),
          output: () => {},
        },
        onDamaged: (payload) => void transaction.damaged.add(payload),
        isStopping: () => false,
      })
      if (transaction.state.kind === 'running') transaction.state = { kind: 'finished', outcomes }
    }
    life.onEnd(() => {
      if (transaction.state.kind === 'running') transaction.state = { kind: 'interrupted' }
    })
    transaction.ended = run()
    transactions.push(transaction)
    return transaction
  }

  function open(world: World, home: string): LocalMachine {
    const outcomesIn = ({ state, plan, attempted }: Transaction): Outcome[] => {
      if (state.kind === 'finished') return state.outcomes
      const actual = plan.actions.flatMap(({ kind, name }) => find(kind, name) ?? [])
      return outcomesAfterAbort({ plan, attempted, actual, unreached: 'skipped', because: 'the power was cut' })
    }
    const endedOf = (transaction: Transaction): EndedApply => {
      const { txid, plan, state } = transaction
      const outcomes = outcomesIn(transaction)
      const due = (plan.restarts ?? []).filter((planned) => isDue(planned, outcomes))
      const restarts = state.kind === 'finished' ? due.map(({ unit }) => ({ unit, state: 'done' as const, at: 0 })) : []
      return { txid, outcomes, damaged: [...transaction.damaged], plan, restarts, output: '' }
    }
    const handOver = async (transaction: Transaction) => {
      await transaction.ended
      return endedOf(transaction)
    }
    return {
      async look(look) {
        return await looked(world, home, look)
      },
      async stored(txids) {
        transactions = transactions.filter(({ txid }) => !txids.includes(txid))
      },
      async apply(plan) {
        if (transactions.some(({ state }) => state.kind === 'running')) {
          throw new Failure('locked', 'another apply is at work on this machine', { retry: 'later' })
        }
        return await handOver(begin(plan, home))
      },
      async finishEarlier() {
        const earlier = [...transactions]
        const ended = []
        for (const transaction of earlier)
          ended.push(transaction.state.kind === 'interrupted' ? endedOf(transaction) : await handOver(transaction))
        return ended
      },
    }
  }

  async function looked(world: World, home: string, look: LookRequest) {
    const { desired, manifests, revision, converged } = look
    const names = new Set([...desired, ...look.records].map(({ name }) => name))
    const actual = sorted().filter(({ name }) => names.has(name))
    const records = recordsStanding(look.records, { desired, actual })
    const compared = { desired, manifests, actual, converged, installed: records, revision: revision.number }
    const differences = differencesWithLater(compared, look.later)
    const payloadsHere = new Map<Sha256, string>()
    for (const { manifest: digest, name, kind } of differences) {
      const manifest = digest === null ? undefined : manifests.get(digest)
      const file = manifest && (await look.payloadPath(manifest))
      if (manifest !== undefined && file !== undefined) payloadsHere.set(manifest.payload.sha256, file)
      const former = records.find((record) => record.name === name && record.kind === kind)
      for (const folder of former === undefined ? [] : ['store', 'objects']) {
        const kept = join(home, folder, former?.payload ?? '')
        if ((await world.disk.stat(kept))?.kind === 'file') payloadsHere.set(former?.payload ?? '', kept)
      }
    }
    const waitOf = waitsFor(desired, look.later, look.timing)
    const planned = planFor(differences, { revision, manifests, payloadsHere, installed: records, waitOf })
    const plan = withRestarts(planned, desired)
    return { differences, plan, kept: outcomesKept({ desired, actual, differences, plan }), records }
  }

  return {
    open,
    packages: sorted,
    breakPackage: (name, version) => broken.add(version === undefined ? name : `${name} ${version}`),
    mendPackage: (name) => broken.delete(name),
    change: (name, to) => {
      const there = sorted().find((each) => each.name === name)
      if (there === undefined) return
      if (to === 'removed') installed.delete(`${there.kind}/${name}`)
      else if (to === 'damaged') put({ ...there, state: 'drifted', found: 'its files were changed' })
      else put({ ...there, version: to.version, payload: null })
    },
    onInstall: (see) => onInstall.add(see),
  }
}
