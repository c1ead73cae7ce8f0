// One transaction of rpm packages: whole files, no repository, and nothing but what the plan names.
// rpm is asked first what it would do, because it takes obsolete packages away without a word.

import path from 'node:path'
import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change, Ran, Refused, TransactionResult } from '../package-system.ts'
import { type ApplyContext, findingsText } from '../provider.ts'
import { beyondOf } from './rpm-beyond.ts'
import { removeCopies } from './rpm-copies.ts'
import { complaintsAbout } from './rpm-foreseen.ts'
import type { RpmCall, RpmFrontEnd } from './rpm-front-end.ts'
import { installedOf, otherArchsOf } from './rpm-identity.ts'
import { type Beside, besideIn, removalsOf, removeSurplus } from './rpm-instances.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import type { RpmSettings } from './rpm-settings.ts'
import {
  lastBegun,
  nameInNevra,
  parseConfigNotes,
  parseMissingAccounts,
  parseRpmComplaints,
  type RpmEntry,
} from './rpm-text.ts'
import type { RpmToolParts } from './rpm-tools.ts'

export interface RpmTransactionParts {
  frontEnd: RpmFrontEnd
  programs: RpmPrograms
  disk: Pick<RpmToolParts['disk'], 'makeFolder' | 'pointLink'>
  settings(): Promise<RpmSettings>
}

/** The installed versions of each package that stay, because the running kernel is theirs. */
type RunningVersions = ReadonlyMap<PackageName, readonly string[]>

/** The configuration files of each package that goes. rpm names what it saved by the file alone. */
type ConfigFiles = ReadonlyMap<PackageName, readonly string[]>

/** Asks rpm about the change, refuses it if rpm would do anything else, and then carries it out. */
export async function rpmTransaction(
  parts: RpmTransactionParts,
  asked: Change,
  context: ApplyContext,
): Promise<TransactionResult> {
  const { frontEnd, programs, disk } = parts
  const settings = await parts.settings()
  const beside = await besideIn(programs, asked, settings)
  const removals = await removalsOf(programs, asked, settings)
  const replaced = [...asked.installs.keys()].filter((name) => !beside.names.has(name))
  const change = { ...asked, reinstalls: asked.reinstalls || (await isAnyThereTwice(programs, replaced)) }
  const call = await callOf(disk, change, { beside, words: removals.words, workFolder: context.workFolder })
  const comes = [...change.installs.keys()]
  const others = await otherArchsOf(programs, comes)
  const refusal =
    refusalOfRunning(call, removals) ??
    (await refusalOfBeyond(programs, change, { call, others })) ??
    (await refusalByRpm(programs, call, change, context))
  if (refusal !== undefined) return refusal
  // Only rpm itself puts a version again that is there already, or half there, and then it puts all
  // of the call.
  const isForRpm = change.reinstalls || !canStandBeside(frontEnd, comes, { others, beside })
  const front = isForRpm ? programs.alone : frontEnd
  const configs = await configFilesOf(programs, change.removes)
  const words = [...comes, ...removals.words.map((word) => `-${word}`)]
  await context.journal(`${front.name}: ${words.join(' ')}`)
  const result = await front.run(call, context.workFolder, (line) => context.output(line))
  const text = `${result.stdout}\n${result.stderr}`
  context.output(text)
  const mended = await removeCopies(programs, change, beside.names, context)
  const surplus = await removeSurplus(programs, { change, beside, frontEnd: frontEnd.name, settings })
  return await ranIn(programs, change, {
    result,
    text,
    configs,
    surplus,
    mended,
    running: removals.running,
  })
}

/**
 * Whether a front end lets packages stand beside others of their name. zypper puts versions side by
 * side only if its settings say so, and takes one architecture for a replacement of the other; dnf
 * changes none without the other.
 */
function canStandBeside(
  { name }: RpmFrontEnd,
  comes: readonly PackageName[],
  { others, beside }: { others: readonly RpmEntry[]; beside: Beside },
): boolean {
  if (name === 'rpm') return true
  if (others.length > 0) return false
  const comesTwice = new Set(comes.map(publishedNameOf)).size < comes.length
  return name === 'dnf' || (beside.isKnownToZypper && !comesTwice)
}

/** Nothing is left to do for packages all of whose versions belong to the running kernel. */
function refusalOfRunning(call: RpmCall, { running }: { running: RunningVersions }): Refused | undefined {
  if (running.size === 0 || call.files.length + call.beside.length + call.removes.length > 0) return undefined
  return { kind: 'refused', unmet: new Set(running.keys()), because: (name) => runningText(running.get(name)) }
}

function runningText(versions: readonly string[] | undefined): string {
  return versions === undefined ? '' : `${versions.join(', ')} stays: it belongs to the kernel that runs now`
}

/**
 * rpm takes the old version away last: a package that is there twice was interrupted, and one of
 * the two is wanted.
 */
async function isAnyThereTwice(programs: RpmPrograms, names: readonly PackageName[]): Promise<boolean> {
  if (names.length === 0) return false
  const there = (await installedOf(programs, names)).map(({ name }) => name)
  return new Set(there).size < there.length
}

/** Package files go by names that end in `.rpm`; payloads are named by their digest. */
async function callOf(
  disk: RpmTransactionParts['disk'],
  { installs, downgrades, reinstalls }: Change,
  how: { beside: Beside; words: readonly string[]; workFolder: string },
): Promise<RpmCall> {
  const folder = path.join(how.workFolder, 'rpm')
  await disk.makeFolder(folder, { mode: 0o700 })
  const files: string[] = []
  const beside: string[] = []
  for (const [name, payload] of installs) {
    const file = path.join(folder, `${name.replace(':', '_')}-${path.basename(payload).slice(0, 8)}.rpm`)
    await disk.pointLink(file, payload)
    if (how.beside.names.has(name)) beside.push(file)
    else files.push(file)
  }
  return { files, beside, removes: how.words, downgrades, reinstalls }
}

async function refusalOfBeyond(
  programs: RpmPrograms,
  change: Change,
  seen: { call: RpmCall; others: readonly RpmEntry[] },
): Promise<Refused | undefined> {
  const beyond = await beyondOf(programs, change, seen)
  if (beyond.length === 0) return undefined
  const because = () => `rpm would also ${findingsText(beyond)}, which is not in the plan`
  return { kind: 'refused', unmet: new Set(), because }
}

/**
 * What rpm has against an installation, asked before anything is touched. A call that installs in
 * both ways is not tested: rpm cannot do both in one transaction, and the front end looks as well.
 */
async function refusalByRpm(
  programs: RpmPrograms,
  call: RpmCall,
  change: Change,
  context: ApplyContext,
): Promise<Refused | undefined> {
  const ways = [call.files, call.beside].filter((words) => words.length > 0)
  if (ways.length !== 1) return undefined
  const text = await complaintsAbout(programs, call, change)
  if (text === '') return undefined
  context.output(text)
  const { unmet, about } = parseRpmComplaints(text, change, await programs.arch())
  return { kind: 'refused', unmet, because: (name) => about(name) || 'rpm refused it without a word' }
}

async function configFilesOf(programs: RpmPrograms, removes: ReadonlySet<PackageName>): Promise<ConfigFiles> {
  const configs = new Map<PackageName, string[]>()
  for (const name of removes) configs.set(name, (await programs.configFiles(name)).split('\n'))
  return configs
}

interface RanParts {
  result: RunResult
  text: string
  configs: ConfigFiles
  surplus: ReadonlyMap<PackageName, string>
  mended: ReadonlyMap<PackageName, string>
  running: RunningVersions
}

async function ranIn(
  programs: RpmPrograms,
  change: Change,
  { result, text, configs, surplus, mended, running }: RanParts,
): Promise<Ran> {
  const native = await programs.arch()
  const { culprits, unmet, late, about } = parseRpmComplaints(text, change, native)
  const ended = result.timedOut && culprits.size === 0 ? lastBegun(text, native) : undefined
  if (ended !== undefined) culprits.add(ended)
  // dnf and zypper solve by themselves, and say only now that a package lacks something.
  for (const name of unmet) culprits.add(name)
  const tooLong = result.timedOut ? 'took too long and was ended' : ''
  const complaint = (name: PackageName) => runningText(running.get(name)) || about(name)
  const notes = await notesOf(programs, text, { late, configs }, change)
  for (const [name, note] of mended) notes.set(name, note)
  for (const [name, note] of surplus) notes.set(name, [notes.get(name) ?? [], note].flat().join(', '))
  return {
    kind: 'ran',
    failed: result.code !== 0,
    timedOut: result.timedOut,
    culprits,
    complaint: (name) => [tooLong, complaint(name)].filter((part) => part !== '').join('; '),
    notes,
  }
}

/**
 * `late`: scriptlets that failed when their package was in place already. What no package of the
 * change can tell, such as of a file trigger of another one, the first of them does.
 */
async function notesOf(
  programs: RpmPrograms,
  text: string,
  { late, configs }: { late: ReadonlyMap<PackageName, string>; configs: ConfigFiles },
  { installs, removes }: Change,
): Promise<Map<PackageName, string>> {
  const [first = ''] = [...installs.keys(), ...removes]
  const found = new Map<PackageName, string[]>()
  const add = (name: PackageName, note: string) => {
    const own = installs.has(name) || removes.has(name) ? name : first
    found.set(own, [...(found.get(own) ?? []), note])
  }
  for (const [name, line] of late) add(name, line)
  for (const account of parseMissingAccounts(text)) {
    add(first, `there is no ${account} on this machine, so files that are meant for it belong to root`)
  }
  for (const { path: file, beside, isSaved } of parseConfigNotes(text)) {
    const removed = [...configs].find(([, files]) => files.includes(file))?.[0]
    const owner = removed ?? (await programs.owners([file])).trim().split('\n')[0] ?? ''
    const name = removed ?? nameInNevra(owner, await programs.arch())
    const note = isSaved ? `saved changed ${file} as ${beside}` : `kept changed ${file}; the package's own is ${beside}`
    add(name, note)
  }
  return new Map([...found].map(([name, notes]) => [name, findingsText(notes)]))
}
