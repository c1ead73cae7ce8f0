// Former versions of Debian packages going back. dpkg asks the scripts of a package before the
// package goes or makes place for itself, and a script that refuses leaves a state in which apt
// refuses everything else too. Such a package goes back without these scripts.

import type { PackageName } from '../../../model/names.ts'
import type { Change, TransactionResult } from '../package-system.ts'
import type { ApplyContext } from '../provider.ts'
import { type DpkgEntry, parseDpkgQuery } from './deb-text.ts'
import { type DebTransactionParts, debTransaction } from './deb-transaction.ts'

/**
 * As `debTransaction`, for a change that only restores what was there before. A package that its own
 * prerm or postrm keeps from that is tried once more without the two; whoever made it, the restored
 * version brings its own again.
 */
export async function debPutBack(
  parts: DebTransactionParts,
  change: Change,
  context: ApplyContext,
): Promise<TransactionResult> {
  const { programs } = parts
  const result = await debTransaction(parts, change, context)
  if (result.kind === 'refused') return result
  const stuck = stuckIn(change, parseDpkgQuery(await programs.query()))
  const aside = new Map<PackageName, string[]>()
  for (const entry of stuck) {
    await context.journal('scripts put aside', entry.name)
    const scripts = await programs.putScriptsAside(entry, context.workFolder)
    if (scripts.length > 0) aside.set(entry.name, scripts)
  }
  if (aside.size === 0) return result
  // apt does not know a name that is gone.
  const removes = new Set(stuck.map(({ name }) => name).filter((name) => change.removes.has(name)))
  const again = await debTransaction(parts, { ...change, removes }, context)
  const left = new Set(stuckIn(change, parseDpkgQuery(await programs.query())).map(({ name }) => name))
  for (const [name, scripts] of aside) if (left.has(name)) await programs.putScriptsBack(scripts, context.workFolder)
  if (again.kind === 'refused') return again
  const notes = new Map(again.notes)
  for (const [name, scripts] of aside) notes.set(name, `without its ${scripts.map(scriptIn).join(' and ')}`)
  return { ...again, notes }
}

/** The packages of the change that are not as it wants them. */
function stuckIn({ installs, removes }: Change, entries: readonly DpkgEntry[]): DpkgEntry[] {
  return entries.filter(({ name, status, needsReinstall }) => {
    const isGone = status === 'not-installed' || status === 'config-files'
    if (removes.has(name)) return !isGone
    const isWhole = ['installed', 'triggers-awaited', 'triggers-pending'].includes(status) && !needsReinstall
    return installs.has(name) && !isGone && !isWhole
  })
}

/** `shop:amd64.prerm` is prerm. */
function scriptIn(file: string): string {
  return file.slice(file.lastIndexOf('.') + 1)
}
