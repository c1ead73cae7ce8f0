// Former versions of Debian packages going back. dpkg asks the scripts of a package before the
// package goes or makes place for itself, and a script that refuses leaves a state in which apt
// refuses everything else too. Such a package goes back without these scripts.

import type { PackageName } from '../../../model/names.ts'
import type { Change, TransactionResult } from '../package-system.ts'
import type { ApplyContext } from '../provider.ts'
import { type DpkgEntry, parseControl, parseDpkgQuery } from './deb-text.ts'
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
  const open = new Set<PackageName>()
  const aside = new Map<PackageName, string[]>()
  for (const entry of stuck) {
    if (await isOnlyUnpacked(parts, change, entry)) continue
    open.add(entry.name)
    await context.journal('scripts put aside', entry.name)
    const scripts = await programs.putScriptsAside(entry, context.workFolder)
    if (scripts.length > 0) aside.set(entry.name, scripts)
  }
  if (aside.size === 0) return result
  // apt does not know a name that is gone, and stumbles over a file that is unpacked already.
  const removes = new Set([...change.removes].filter((name) => open.has(name)))
  const installs = new Map([...change.installs].filter(([name]) => open.has(name)))
  const again = await debTransaction(parts, { ...change, installs, removes }, context)
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

/** Whether nothing is left to do but what dpkg does in every run: to configure what is unpacked. */
async function isOnlyUnpacked(
  { programs }: DebTransactionParts,
  { installs }: Change,
  { name, version, status, needsReinstall }: DpkgEntry,
): Promise<boolean> {
  const payload = installs.get(name)
  if (payload === undefined || status !== 'unpacked' || needsReinstall) return false
  return parseControl(await programs.control(payload)).get('Version') === version
}

/** `shop:amd64.prerm` is prerm. */
function scriptIn(file: string): string {
  return file.slice(file.lastIndexOf('.') + 1)
}
