// One provider with the real programs behind it, brought from one set of packages to another by
// the plan that the real deciders make of the machine.

import { readFile } from 'node:fs/promises'
import type { Test } from 'tap'
import type { DesiredPackage } from '../../../src/model/desired.ts'
import type { Relations } from '../../../src/model/manifest.ts'
import type { Outcome } from '../../../src/model/report.ts'
import type { InstalledRecord } from '../../../src/reconcile/actual.ts'
import { differencesBetween, keyOf } from '../../../src/reconcile/differences.ts'
import { type Plan, planFor } from '../../../src/reconcile/plan.ts'
import { debProvider } from '../../../src/reconcile/providers/deb/deb.ts'
import { debWaits } from '../../../src/reconcile/providers/deb/deb-tools.ts'
import type { Provider } from '../../../src/reconcile/providers/provider.ts'
import { rpmProvider } from '../../../src/reconcile/providers/rpm/rpm.ts'
import type { RpmFrontEndName } from '../../../src/reconcile/providers/rpm/rpm-front-end.ts'
import { rpmWaits } from '../../../src/reconcile/providers/rpm/rpm-tools.ts'
import { recordsAfter } from '../../../src/reconcile/records.ts'
import { systemDisk } from '../../../src/world/disk.ts'
import { systemExec } from '../../../src/world/exec.ts'
import { type Built, buildDeb, buildRpm, type Wanted } from '../packages.ts'
import { makeRpmMachine } from '../rpm-machine.ts'

export interface ChangeWorld {
  root: string
  journal: string[]
  build(wanted: Wanted): Promise<Built>
  /** The plan for exactly these packages. `late`: payloads that are not here yet. */
  plan(wanted: readonly Built[], late?: readonly Built[]): Promise<Plan>
  /** Makes that plan and carries it out. One line for each action: `name outcome version`. */
  converge(wanted: readonly Built[], late?: readonly Built[]): Promise<string[]>
  /** The outcomes of the last `converge`. */
  outcomes: Outcome[]
  /** Of these packages, those that are there: `name version`, and how if they are not whole. */
  there(...names: string[]): Promise<string[]>
  read(file: string): Promise<string>
}

export async function changeWorld(
  t: Test,
  how: { kind: 'deb' } | { kind: 'rpm'; frontEnd: RpmFrontEndName; shared: string },
): Promise<ChangeWorld> {
  const folder = t.testdir({ root: {}, store: {}, work: {} })
  const root = `${folder}/root`
  if (how.kind === 'rpm') await makeRpmMachine(root, how.shared)
  const real = { targetRoot: root, exec: systemExec, disk: systemDisk }
  const provider: Provider =
    how.kind === 'deb'
      ? debProvider({ ...real, waits: debWaits })
      : rpmProvider({ ...real, waits: rpmWaits, frontEnd: how.frontEnd })
  const journal: string[] = []
  const known = new Map<string, Built>()
  let records: InstalledRecord[] = []
  let revision = 0

  const plan = async (wanted: readonly Built[], late: readonly Built[] = []): Promise<Plan> => {
    const manifests = new Map([...known].map(([digest, { manifest }]) => [digest, manifest]))
    const desired = wanted.map(({ manifest: { name, version }, digest }): DesiredPackage => {
      return { state: 'present', name, version, manifest: digest, line: 1 }
    })
    const names = [...new Set([...desired, ...records].map(({ name }) => name))]
    const actual = await provider.inspect(names, { owned: new Set(), depth: 'quick' })
    const compared = { desired, manifests, actual, installed: records, revision, converged: null }
    const differences = differencesBetween(compared)
    const relations: Relations[] = (await provider.relations?.(names)) ?? []
    const here = [...known.values()].filter((built) => !late.includes(built))
    return planFor(differences, {
      revision: { number: revision, digest: '0'.repeat(64) },
      manifests,
      payloadsHere: new Map(here.map(({ manifest, path }) => [manifest.payload.sha256, path])),
      installed: records,
      relations: new Map(relations.map((one) => [keyOf(one.kind, one.name), one])),
    })
  }

  const world: ChangeWorld = {
    ...{ root, journal, plan, outcomes: [] },
    async build(wanted) {
      const built = await (how.kind === 'deb' ? buildDeb : buildRpm)(`${folder}/store`, wanted)
      known.set(built.digest, built)
      return built
    },
    async converge(wanted, late) {
      revision += 1
      const planned = await plan(wanted, late)
      const steps = planned.actions.map((action) => {
        return { action, manifest: known.get(action.source?.manifest ?? '')?.manifest ?? null }
      })
      const context = {
        workFolder: `${folder}/work`,
        journal: async (step: string) => void journal.push(step),
        output: () => {},
      }
      world.outcomes = steps.length === 0 ? [] : await provider.ensure(steps, context)
      records = recordsAfter(records, planned, world.outcomes)
      return world.outcomes.map(({ name, outcome, version }) => `${name} ${outcome} ${version ?? '-'}`).sort()
    },
    async there(...names) {
      const seen = await provider.inspect(names, { owned: new Set(names), depth: 'full' })
      return seen
        .map(({ name, version, state, found }) => `${name} ${version}${state === 'whole' ? '' : ` ${found}`}`)
        .sort()
    },
    read: (file) => readFile(`${root}/${file}`, 'utf8'),
  }
  return world
}
