// Packages of one package manager changed together: all in one transaction, or else by the groups that need each other;
// what fails half-way is put back as it was. How the package manager is called, its system knows.

import type { Manifest } from '../../model/manifest.ts'
import type { PackageName } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import type { Disk } from '../../world/world.ts'
import type { Actual } from '../actual.ts'
import { dependentsOf, groupsOf } from './groups.ts'
import { type ApplyContext, heldOutcome, isReached, outcomeOf, type Provider, type Step } from './provider.ts'

/** What one transaction is to do. */
export interface Change {
  /** By the path of each payload. */
  installs: ReadonlyMap<PackageName, string>
  removes: ReadonlySet<PackageName>
  downgrades: boolean
  reinstalls: boolean
  /** The versions before are put back. That something essential goes, which was not there before, is then no loss. */
  isBack: boolean
}

export type TransactionResult =
  /** unmet: those that lack something. Nothing was touched. */
  | { kind: 'refused'; unmet: ReadonlySet<PackageName>; because: (name: PackageName) => string }
  | {
      kind: 'ran'
      failed: boolean
      timedOut: boolean
      /** Those that made it fail, as far as that was said. */
      culprits: ReadonlySet<PackageName>
      complaint: (name: PackageName) => string
      /** What is worth knowing of one that went well. */
      notes: ReadonlyMap<PackageName, string>
    }

/** A package manager aimed at one target root. */
export interface PackageSystem {
  inspect: Provider['inspect']
  /** Before anything else: what a killed one left behind, ours or somebody else's. */
  prepare(context: ApplyContext): Promise<void>
  /** What is wrong with a package file before anything is touched. */
  problemOf(manifest: Manifest, payload: string): Promise<string | undefined>
  /** Whether the same version is installed with other content, as far as the machine can tell the two apart. */
  isOther(step: Step, tried?: TransactionResult): Promise<boolean>
  /** Refuses what the plan does not say, whatever the package manager would make of it. */
  transact(change: Change, context: ApplyContext): Promise<TransactionResult>
  /** After one that was ended for taking too long. */
  tidy(): Promise<void>
  /** Whether it goes on with what needs a package that failed: then that has to go back as well. */
  leavesDependents: boolean
  /** Leaves nothing of its own in the work folder that is of no use to anybody later. */
  finish(context: ApplyContext): Promise<void>
}

export async function ensureTogether(
  system: PackageSystem,
  { targetRoot, disk }: { targetRoot: string; disk: Pick<Disk, 'freeBytes'> },
  steps: readonly Step[],
  context: ApplyContext,
): Promise<Outcome[]> {
  const names = steps.map(({ action }) => action.name)
  const problems = new Map<PackageName, string>()
  const notes = new Map<PackageName, string>()
  const acted = new Set<PackageName>()
  /** apt, for one, does not look whether what it is about to unpack fits. */
  let promisedBytes = 0

  async function now(): Promise<Map<PackageName, Actual>> {
    const owned = new Set(steps.filter(({ action }) => action.what === 'reinstall').map(({ action }) => action.name))
    return new Map((await system.inspect(names, { owned, depth: 'full' })).map((one) => [one.name, one]))
  }

  async function problemOf({ action, manifest }: Step): Promise<string | undefined> {
    if (action.source === null || manifest === null) return undefined
    const problem = await system.problemOf(manifest, action.source.path)
    if (problem !== undefined) return problem
    const needed = promisedBytes + Math.ceil(1.1 * manifest.installedSize) + manifest.payload.size
    const free = await disk.freeBytes(targetRoot)
    if (free < needed) return `no space: ${needed} bytes needed below ${targetRoot}, ${free} free`
    promisedBytes = needed
    return undefined
  }

  /** All in one transaction, or else by the groups that need each other, so that one bad package stops only its own. */
  async function carryOut(batch: readonly Step[]): Promise<void> {
    const groups = groupsOf(batch)
    const tried = await attempt(batch)
    if (tried.kind === 'refused') {
      if (groups.length > 1) for (const group of groups) await carryOut(group)
      else await refuse(batch, tried)
      return
    }
    const after = await now()
    const culprits = new Set(tried.culprits)
    // One that was ended has said nothing; the package manager still knows which package it was at.
    if (tried.timedOut)
      for (const one of after.values()) if (/half-|interrupted/.test(one.found)) culprits.add(one.name)
    const missed: Step[] = []
    for (const step of batch) {
      const { name } = step.action
      const isMissed =
        culprits.has(name) || !isReached(step.action, after.get(name)) || (await system.isOther(step, tried))
      if (isMissed) missed.push(step)
    }
    if (missed.length === 0) return
    for (const { action } of missed) problems.set(action.name, tried.complaint(action.name))
    const failed = new Set(missed.map(({ action }) => action.name))
    for (const [name, cause] of system.leavesDependents ? dependentsOf(batch, failed) : []) {
      missed.push(...batch.filter(({ action }) => action.name === name))
      problems.set(name, `it needs ${cause}, which failed`)
    }
    await putBack(missed, after, tried.timedOut)
    if (groups.length === 1) return
    for (const group of groups) {
      if (group.some(({ action }) => culprits.has(action.name))) continue
      const open = group.filter((step) => missed.includes(step))
      for (const { action } of open) problems.delete(action.name)
      if (open.length > 0) await carryOut(open)
    }
  }

  /**
   * What lacks something is left out, and the rest tried again: a package that needs what was left out then lacks it, and
   * one that others need, say libc6, is not kept back by one of them.
   */
  async function refuse(
    group: readonly Step[],
    { unmet, because }: Extract<TransactionResult, { kind: 'refused' }>,
  ): Promise<void> {
    const lacking = group.filter(({ action }) => unmet.has(action.name))
    const refused = lacking.length > 0 ? lacking : group
    const rest = group.filter((step) => !refused.includes(step))
    const earlier = new Map(problems)
    for (const { action } of refused) {
      const said = because(action.name)
      const causes = said.split(/[\s:(),]+/).map((word) => earlier.get(word) ?? '')
      const lines = [said, ...causes].flatMap((text) => text.split('; ')).filter((line) => line !== '')
      problems.set(action.name, [...new Set(lines)].join('; '))
    }
    if (rest.length > 0) await carryOut(rest)
  }

  async function attempt(batch: readonly Step[]): Promise<TransactionResult> {
    const whats = new Set(batch.map(({ action }) => action.what))
    const installs = batch.flatMap(({ action: { name, source } }): [PackageName, string][] =>
      source === null ? [] : [[name, source.path]],
    )
    const removes = batch.filter(({ action }) => action.source === null).map(({ action }) => action.name)
    const tried = await system.transact(
      {
        installs: new Map(installs),
        removes: new Set(removes),
        downgrades: whats.has('downgrade'),
        reinstalls: whats.has('reinstall'),
        isBack: false,
      },
      context,
    )
    if (tried.kind !== 'ran') return tried
    for (const { action } of batch) acted.add(action.name)
    for (const [name, note] of tried.notes) notes.set(name, note)
    return tried
  }

  /** A package that failed half-way can stop every later change: the version before it goes back, or it goes altogether. */
  async function putBack(
    missed: readonly Step[],
    after: ReadonlyMap<PackageName, Actual>,
    timedOut: boolean,
  ): Promise<void> {
    if (timedOut) await system.tidy()
    const installs = new Map<PackageName, string>()
    const removes = new Set<PackageName>()
    for (const { action } of missed) {
      const { name, previous } = action
      const earlier = before.get(name)
      const left = after.get(name)
      const untouched =
        left === undefined ? earlier === undefined : left.state === 'whole' && left.version === earlier?.version
      if (action.what === 'remove' || untouched) continue
      if (earlier === undefined) removes.add(name)
      else if (previous !== null && previous.version === earlier.version) installs.set(name, previous.path)
      else addProblem(name, `left as it is, for the payload of ${earlier.version} is not here`)
    }
    if (installs.size + removes.size === 0) return
    const back = await system.transact({ installs, removes, downgrades: true, reinstalls: true, isBack: true }, context)
    const there = await now()
    for (const name of [...installs.keys(), ...removes]) {
      const earlier = before.get(name)
      if (there.get(name)?.version === earlier?.version && (there.get(name)?.state ?? 'whole') === 'whole') {
        addProblem(name, earlier === undefined ? 'removed again' : `${earlier.version} was put back`)
      } else {
        const why = back.kind === 'refused' ? back.because(name) : back.complaint(name)
        addProblem(name, `${earlier?.version ?? 'nothing'} could not be put back: ${why}`)
      }
    }
  }

  function addProblem(name: PackageName, text: string): void {
    problems.set(name, [problems.get(name), text].filter((part) => part !== undefined && part !== '').join('; '))
  }

  await system.prepare(context)
  const before = await now()
  const held = new Set<Step>()
  const ready: Step[] = []
  for (const step of steps) {
    const there = before.get(step.action.name)
    if (isReached(step.action, there) && !(await system.isOther(step))) continue
    const problem = there?.held ? undefined : await problemOf(step)
    if (there?.held) held.add(step)
    else if (problem !== undefined) problems.set(step.action.name, problem)
    else ready.push(step)
  }
  if (ready.length > 0) await carryOut(ready)
  await system.finish(context)
  const after = acted.size === 0 ? before : await now()
  return steps.map((step) => {
    const { action } = step
    const { name } = action
    const there = before.get(name)
    if (there !== undefined && held.has(step)) return heldOutcome(action, there)
    const parts = { action, before: there, after: after.get(name), acted: acted.has(name) }
    return outcomeOf({ ...parts, problem: problems.get(name), note: notes.get(name) })
  })
}
