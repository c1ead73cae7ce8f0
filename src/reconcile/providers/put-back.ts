// A package that failed half-way can stop every later change of a package manager. The version that
// was there before it goes back; if there was none, the package is removed. A package that went for
// one that failed comes back.

import type { PackageName } from '../../model/names.ts'
import type { Actual } from '../actual.ts'
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
  for (const { action } of missed) {
    const { name, previous } = action
    const earlier = run.before.get(name)
    if (isAsBefore(earlier, after.get(name))) continue
    // Nothing was to come in the place of this package: it is on its way out.
    if (action.what === 'remove' && action.together === undefined) continue
    if (earlier === undefined) removes.add(name)
    else if (previous !== null && previous.version === earlier.version) installs.set(name, previous.path)
    else if (after.has(name)) addProblem(run, name, `left as it is, for the payload of ${earlier.version} is not here`)
    else addProblem(run, name, `${earlier.version} cannot be put back, for its payload is not here`)
  }
  if (installs.size + removes.size === 0) return
  const change = { installs, removes, downgrades: true, reinstalls: true, isBack: true }
  const result = await run.system.transact(change, run.context)
  const there = await run.look()
  for (const name of [...installs.keys(), ...removes]) {
    addProblem(run, name, backText(name, { earlier: run.before.get(name), left: there.get(name), result }))
  }
}

function isAsBefore(earlier: Actual | undefined, left: Actual | undefined): boolean {
  if (left === undefined) return earlier === undefined
  return left.state === 'whole' && left.version === earlier?.version
}

function backText(
  name: PackageName,
  { earlier, left, result }: { earlier: Actual | undefined; left: Actual | undefined; result: TransactionResult },
): string {
  if (isAsBefore(earlier, left)) return earlier === undefined ? 'removed again' : `${earlier.version} was put back`
  const why = result.kind === 'refused' ? result.because(name) : result.complaint(name)
  return `${earlier?.version ?? 'nothing'} could not be put back: ${why}`
}

function addProblem({ problems }: Run, name: PackageName, text: string): void {
  problems.set(name, [problems.get(name), text].filter((part) => part !== undefined && part !== '').join('; '))
}
