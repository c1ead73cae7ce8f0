// Packages of one package manager changed together. The stages: look, sort the steps into held,
// impossible and ready, carry out the ready ones (carry-out.ts), look again, and read the outcomes
// off the machine.

import { limits } from '../../model/limits.ts'
import type { PackageName } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import { type Actual, isHeldFrom } from '../actual.ts'
import { carryOut } from './carry-out.ts'
import { installedBytes, lackOfSpace, type SpaceDisk } from './free-space.ts'
import { tiedTo } from './groups.ts'
import type { PackageSystem } from './package-system.ts'
import {
  type ApplyContext,
  heldOutcome,
  isReached,
  outcomeOf,
  type Step,
  unreadOutcome,
  withRemark,
} from './provider.ts'
import type { Run } from './run.ts'

/**
 * One outcome for each step, in their order. Throws what the package manager's own programs throw.
 */
export async function ensureTogether(
  system: PackageSystem,
  target: { targetRoot: string; disk: SpaceDisk },
  steps: readonly Step[],
  context: ApplyContext,
): Promise<Outcome[]> {
  const look = lookAt(system, steps)
  const repaired = await system.prepare(context)
  const before = await look()
  const { held, unread, impossible, ready } = await sorted(system, target, steps, before)
  const run: Run = { system, context, look, before, problems: impossible, notes: new Map(), acted: new Set() }
  if (ready.length > 0) await carryOut(run, ready)
  await system.finish(context)
  const after = run.acted.size === 0 ? before : await look()
  const outcomes = steps.map((step) => {
    const there = before.get(step.action.name)
    if (there !== undefined && held.has(step)) return heldOutcome(step.action, there)
    if (there !== undefined && unread.has(step)) return unreadOutcome(step.action, there)
    return outcomeIn(run, step, after)
  })
  // The repair concerns all of them, and one is enough to tell of it.
  const [first, ...others] = outcomes
  return first === undefined || repaired === undefined ? outcomes : [withRemark(first, repaired), ...others]
}

/**
 * Every file of packages that are to be installed again is read: their action is done when nothing
 * is left to heal. The same holds where an installed version would be kept if it were whole.
 */
function lookAt(system: PackageSystem, steps: readonly Step[]): Run['look'] {
  const names = steps.map(({ action }) => action.name)
  const isWholeNeeded = ({ action }: Step) => action.what === 'reinstall' || action.least !== undefined
  const owned = new Set(steps.filter(isWholeNeeded).map(({ action }) => action.name))
  const ignored = new Map(
    steps.flatMap(({ action: { name, ignore } }) => (ignore === undefined ? [] : [[name, ignore]])),
  )
  const options = { owned, depth: 'full', ignored } as const
  return async () => new Map((await system.inspect(names, options)).map((actual) => [actual.name, actual]))
}

interface Sorted {
  /** The administrator of the machine wants no change of the package. */
  held: ReadonlySet<Step>
  /** Nobody can say what a heal would replace. */
  unread: ReadonlySet<Step>
  /** Why nothing is tried for a package. */
  impossible: Map<PackageName, string>
  ready: readonly Step[]
}

/** Steps that the machine has reached already are in none of the three. */
async function sorted(
  system: PackageSystem,
  { targetRoot, disk }: { targetRoot: string; disk: SpaceDisk },
  steps: readonly Step[],
  before: ReadonlyMap<PackageName, Actual>,
): Promise<Sorted> {
  const held = new Set<Step>()
  const unread = new Set<Step>()
  const impossible = new Map<PackageName, string>()
  const ready: Step[] = []
  // apt does not check whether what it is about to unpack fits, so the packages before count as
  // well.
  let promised = { bytes: 0, files: 0 }

  async function problemOf({ action, manifest }: Step): Promise<string | undefined> {
    if (action.source === null || manifest === null) return undefined
    const problem = await system.problemOf(manifest, action.source.path)
    if (problem !== undefined) return problem
    const bytes = promised.bytes + installedBytes(manifest) + manifest.payload.size
    const isScarce = ((await disk.freeFiles?.(targetRoot)) ?? Infinity) < limits.freeFilesCountedMax
    const files = promised.files + (isScarce ? ((await system.filesIn?.(action.source.path)) ?? 0) : 0)
    const lack = await lackOfSpace(disk, targetRoot, { bytes, files })
    if (lack === undefined) promised = { bytes, files }
    return lack
  }

  for (const step of steps) {
    const there = before.get(step.action.name)
    if (isReached(step.action, there) && !(await system.isOther(step))) continue
    if (isHeldFrom(there, step.action.to)) {
      held.add(step)
      continue
    }
    const isUnread = there?.state === 'unread' && (there.version === null || step.action.cause === 'drift')
    if (isUnread && there.version !== null) unread.add(step)
    const problem = isUnread ? there.found : await problemOf(step)
    if (problem === undefined) ready.push(step)
    else impossible.set(step.action.name, problem)
  }
  const heldNames = new Set([...held].map(({ action }) => action.name))
  const tied = tiedTo(ready, [...impossible.keys(), ...heldNames])
  for (const [name, cause] of tied) {
    const because = heldNames.has(cause) ? 'it is held' : impossible.get(cause)
    impossible.set(name, `not without ${cause}: ${because}`)
  }
  return { held, unread, impossible, ready: ready.filter(({ action }) => !tied.has(action.name)) }
}

function outcomeIn(run: Run, { action }: Step, after: ReadonlyMap<PackageName, Actual>): Outcome {
  const { name } = action
  return outcomeOf({
    action,
    before: run.before.get(name),
    after: after.get(name),
    acted: run.acted.has(name),
    problem: run.problems.get(name),
    note: run.notes.get(name),
  })
}
