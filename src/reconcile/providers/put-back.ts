// A package that failed half-way can stop every later change of a package manager. The version that
// was there before it goes back; if there was none, the package is removed. A package that went for
// one that failed comes back.

import type { PackageName, PackageVersion } from '../../model/names.ts'
import { type Actual, isAbsent } from '../actual.ts'
import type { TransactionResult } from './package-system.ts'
import type { Step } from './provider.ts'
import type { Run } from './run.ts'

/**
 * Adds to `run.problems` what became of each package. Packages that the transaction left untouched
 * stay as they are.
 */
export async function putBack(
  run: Run,
  missed: readonly Step[],
  after: ReadonlyMap<PackageName, Actual>,
): Promise<void> {
  const installs = new Map<PackageName, string>()
  const removes = new Set<PackageName>()
  const takes = new Map<PackageName, PackageVersion>()
  for (const { action } of missed) {
    const { name, previous } = action
    const earlier = run.before.get(name)
    const left = after.get(name)
    // A package that goes comes back only if something else was to come in its place.
    const isGoing = action.what === 'remove' && action.together === undefined
    if (isGoing || isAsBefore(earlier, left)) continue
    if (isAbsent(earlier)) removes.add(name)
    else if (action.to !== null && isBeside(action.to, earlier, left)) takes.set(name, action.to)
    else if (previous !== null && previous.version === earlier.version) installs.set(name, previous.path)
    else if (left !== undefined)
      addProblem(run, name, `left as it is, for the payload of ${earlier.version} is not here`)
    else addProblem(run, name, `${earlier.version} cannot be put back, for its payload is not here`)
  }
  if (installs.size + removes.size + takes.size === 0) return
  const change = { installs, removes, takes, keeps: new Map(), downgrades: true, reinstalls: true, isBack: true }
  const result = await run.system.transact(change, run.context)
  const there = await run.look()
  for (const name of [...installs.keys(), ...removes, ...takes.keys()]) {
    const isTaken = takes.has(name)
    addProblem(run, name, backText(name, { earlier: run.before.get(name), left: there.get(name), isTaken, result }))
  }
}

function isAsBefore(earlier: Actual | undefined, left: Actual | undefined): boolean {
  if (isAbsent(left)) return isAbsent(earlier)
  const isSame = (left.versions?.length ?? 1) === (earlier?.versions?.length ?? 1)
  return left.state === 'whole' && left.version === earlier?.version && isSame
}

/** Whether the version came beside others that were there before and still are. */
function isBeside(version: PackageVersion, earlier: Actual, left: Actual | undefined): boolean {
  const before = (earlier.versions ?? [earlier]).map((one) => one.version)
  const now = (left?.versions ?? []).map((one): PackageVersion | null => one.version)
  return !before.includes(version) && now.includes(version) && before.every((one) => now.includes(one))
}

function backText(
  name: PackageName,
  seen: { earlier: Actual | undefined; left: Actual | undefined; isTaken: boolean; result: TransactionResult },
): string {
  const { earlier, left, isTaken, result } = seen
  if (isAsBefore(earlier, left)) {
    const text = isAbsent(earlier) || isTaken ? 'removed again' : `${earlier.version} was put back`
    const note = result.kind === 'ran' ? result.notes.get(name) : undefined
    return note === undefined ? text : `${text} (${note})`
  }
  const why = result.kind === 'refused' ? result.because(name) : result.complaint(name)
  return `${earlier?.version ?? 'nothing'} could not be put back: ${why}`
}

function addProblem({ problems }: Run, name: PackageName, text: string): void {
  problems.set(name, [problems.get(name), text].filter((part) => part !== undefined && part !== '').join('; '))
}
