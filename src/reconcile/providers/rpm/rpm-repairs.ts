// What a power cut leaves of rpm, dnf and zypper, and their own repairs of it. Runs before a change.

import path from 'node:path'
import type { ApplyContext } from '../provider.ts'
import { aboutIndex, doubtIn } from './rpm-answers.ts'
import { rpmQueryFormat } from './rpm-text.ts'
import type { RpmTools } from './rpm-tools.ts'

/** Says what was repaired, and what could not be. Undefined if there was nothing to repair. */
export async function repair(tools: RpmTools, context: ApplyContext): Promise<string | undefined> {
  const said = [...(await removeStaleLocks(tools, context)), await rebuildIndexes(tools, context)]
  const told = said.filter((text) => text !== undefined)
  return told.length === 0 ? undefined : told.join('; ')
}

/**
 * Makes the indexes of the database again if rpm says that it is damaged, and only if every entry
 * can still be read: `--rebuilddb` drops the others. The old database is kept beside the new one,
 * and comes back if that does not list the same packages.
 */
async function rebuildIndexes(tools: RpmTools, context: ApplyContext): Promise<string | undefined> {
  const { targetRoot, disk, run, rpm, waits } = tools
  const folder = path.join(targetRoot, (await tools.database()).folder)
  if ((await disk.stat(folder)) === undefined) return undefined
  const why = await indexDamage(tools)
  if (why === undefined) return undefined
  const before = await listed(tools)
  if (before === undefined) return `the database in ${folder} is damaged (${why}), and rpm cannot list its packages`
  const aside = `${folder}.before-rebuild`
  const isCopied = await copied(tools, folder, aside)
  if (!isCopied) return `the database in ${folder} is damaged (${why}), and there is no room for a copy of it`
  await context.journal('repairing: rpm --rebuilddb')
  const rebuilt = await rpm(['--rebuilddb'], waits.transactionMs)
  context.output(rebuilt.stdout + rebuilt.stderr)
  if (rebuilt.code === 0 && (await listed(tools)) === before) {
    return `the indexes of rpm's database were damaged (${why}) and made again by rpm --rebuilddb; the former ones are in ${aside}`
  }
  await disk.remove(folder)
  await run('mv', ['-T', aside, folder], waits.queryMs)
  return `the database in ${folder} is damaged (${why}), and rpm --rebuilddb did not mend it: it is as it was`
}

/**
 * What rpm says when it looks into its indexes: by name, by what packages provide and by file.
 * Nothing is found there. `--verifydb` would wait for the lock of another package manager.
 */
async function indexDamage({ ask }: RpmTools): Promise<string | undefined> {
  for (const words of [
    ['-q', probe],
    ['-q', '--whatprovides', probe],
    ['-qf', `/${probe}`],
  ]) {
    const { stderr } = await ask(words)
    const damage = stderr.split('\n').find((line) => aboutIndex.test(line.replace(/^error: /, '')))
    if (damage !== undefined) return damage.replace(/^error: /, '')
  }
  return undefined
}

/** All packages, in an order of their own. Undefined if rpm cannot read them all. */
async function listed({ rpm, waits }: RpmTools): Promise<string | undefined> {
  const result = await rpm(['-qa', '--qf', rpmQueryFormat], waits.queryMs)
  return doubtIn(result, aboutIndex) === undefined ? result.stdout.split('\n').sort().join('\n') : undefined
}

async function copied({ disk, run, waits }: RpmTools, from: string, to: string): Promise<boolean> {
  await disk.remove(to)
  const result = await run('cp', ['-a', from, to], waits.transactionMs)
  if (result.code !== 0) await disk.remove(to)
  return result.code === 0
}

/**
 * Removes lock files that name a process which is not theirs: it began after the file was written,
 * so that it only has the number of a process that is gone. dnf would wait for it for ever. A file
 * without a number stops dnf as well.
 */
async function removeStaleLocks(tools: RpmTools, context: ApplyContext): Promise<string[]> {
  const { targetRoot, disk } = tools
  const removed: string[] = []
  for (const name of lockFiles) {
    const file = path.join(targetRoot, name)
    if ((await disk.stat(file))?.kind !== 'file') continue
    const text = new TextDecoder().decode(await disk.read(file, { maxBytes: lockMaxBytes })).trim()
    const why = await staleBecause(tools, file, text)
    if (why === undefined) continue
    await context.journal(`repairing: removing ${file}`)
    await disk.remove(file)
    removed.push(`removed the stale lock ${file} (${why})`)
  }
  return removed
}

async function staleBecause({ run, waits }: RpmTools, file: string, text: string): Promise<string | undefined> {
  const secondsIn = async (program: string, args: readonly string[], pattern: RegExp) =>
    Number(pattern.exec((await run(program, args, waits.queryMs)).stdout)?.[1] ?? Number.NaN)
  const written = await secondsIn('stat', ['-c', '%Y', file], /^(\d+)/)
  if (!/^\d+$/.test(text)) {
    const now = await secondsIn('date', ['+%s'], /^(\d+)/)
    return now - written > lockWritingS ? 'it names no process' : undefined
  }
  const booted = await secondsIn('cat', ['/proc/stat'], /^btime (\d+)$/m)
  // proc(5): field 22 is the start in ticks after the boot; the name in brackets may have spaces.
  const ticks = await secondsIn('cat', [`/proc/${text}/stat`], /\) \S(?: -?\d+){18} (\d+)/)
  const began = booted + ticks / ticksPerSecond
  return began > written + lockWritingS ? `process ${text} began after it was written` : undefined
}

/** No package and no file has this name. */
const probe = 'banyan-looks-whether-the-index-is-whole'

/** Those of zypper, and those of dnf before 5 for its cache, its history and its log. */
const lockFiles = [
  'run/zypp.pid',
  'var/run/zypp.pid',
  'var/cache/dnf/metadata_lock.pid',
  'var/cache/dnf/download_lock.pid',
  'var/lib/dnf/rpmdb_lock.pid',
  'var/log/log_lock.pid',
]

/** A lock file holds a number. */
const lockMaxBytes = 1024
/** A process writes its lock within this time, and clocks are read in whole seconds. */
const lockWritingS = 60
/** The kernel tells times in units of USER_HZ, 100 on every machine that we run on. */
const ticksPerSecond = 100
