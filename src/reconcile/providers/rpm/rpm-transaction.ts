// One transaction of rpm packages: whole files, no repository, and nothing but what the plan names.
// rpm is asked first what it would do, because it takes obsolete packages away without a word.

import path from 'node:path'
import type { PackageName } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change, Ran, Refused, TransactionResult } from '../package-system.ts'
import { type ApplyContext, findingsText } from '../provider.ts'
import { beyondOf } from './rpm-beyond.ts'
import type { RpmCall, RpmFrontEnd } from './rpm-front-end.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import { lastBegun, parseConfigNotes, parseRpmComplaints, parseRpmQuery } from './rpm-text.ts'
import type { RpmToolParts } from './rpm-tools.ts'

export interface RpmTransactionParts {
  frontEnd: RpmFrontEnd
  programs: RpmPrograms
  disk: Pick<RpmToolParts['disk'], 'makeFolder' | 'pointLink'>
}

/** The configuration files of each package that goes. rpm names what it saved by the file alone. */
type ConfigFiles = ReadonlyMap<PackageName, readonly string[]>

/** Asks rpm about the change, refuses it if rpm would do anything else, and then carries it out. */
export async function rpmTransaction(
  parts: RpmTransactionParts,
  asked: Change,
  context: ApplyContext,
): Promise<TransactionResult> {
  const { frontEnd, programs, disk } = parts
  const change = {
    ...asked,
    reinstalls: asked.reinstalls || (await isAnyThereTwice(programs, [...asked.installs.keys()])),
  }
  const call = await callOf(disk, change, context.workFolder)
  const refusal = (await refusalOfBeyond(programs, change)) ?? (await refusalByRpm(programs, call, change, context))
  if (refusal !== undefined) return refusal
  // Only rpm itself puts a version again that is there already, or half there, and then it puts all
  // of the call.
  const front = change.reinstalls ? programs.alone : frontEnd
  const configs = await configFilesOf(programs, change.removes)
  const words = [...change.installs.keys(), ...[...change.removes].map((name) => `-${name}`)]
  await context.journal(`${front.name}: ${words.join(' ')}`)
  const result = await front.run(call, context.workFolder, (line) => context.output(line))
  const text = `${result.stdout}\n${result.stderr}`
  context.output(text)
  return await ranIn(programs, change, { result, text, configs })
}

/**
 * rpm takes the old version away last: a package that is there twice was interrupted, and one of
 * the two is wanted.
 */
async function isAnyThereTwice(programs: RpmPrograms, names: readonly PackageName[]): Promise<boolean> {
  if (names.length === 0) return false
  const there = parseRpmQuery(await programs.query(names)).map(({ name, arch }) => `${name}.${arch}`)
  return new Set(there).size < there.length
}

/** Package files go by names that end in `.rpm`; payloads are named by their digest. */
async function callOf(
  disk: RpmTransactionParts['disk'],
  { installs, removes, downgrades, reinstalls }: Change,
  workFolder: string,
): Promise<RpmCall> {
  const folder = path.join(workFolder, 'rpm')
  await disk.makeFolder(folder, { mode: 0o700 })
  const files: string[] = []
  for (const [name, payload] of installs) {
    const file = path.join(folder, `${name}-${path.basename(payload).slice(0, 8)}.rpm`)
    await disk.pointLink(file, payload)
    files.push(file)
  }
  return { files, removes: [...removes], downgrades, reinstalls }
}

async function refusalOfBeyond(programs: RpmPrograms, change: Change): Promise<Refused | undefined> {
  const beyond = await beyondOf(programs, change)
  if (beyond.length === 0) return undefined
  const because = () => `rpm would also ${findingsText(beyond)}, which is not in the plan`
  return { kind: 'refused', unmet: new Set(), because }
}

/**
 * What rpm has against an installation. A call that removes packages too is not tested by rpm: it
 * cannot do both in one transaction, and the front end looks first as well.
 */
async function refusalByRpm(
  programs: RpmPrograms,
  call: RpmCall,
  change: Change,
  context: ApplyContext,
): Promise<Refused | undefined> {
  if (call.files.length === 0 || call.removes.length > 0) return undefined
  const result = await programs.test(call)
  if (result.code === 0) return undefined
  const text = result.stdout + result.stderr
  context.output(text)
  const { unmet, about } = parseRpmComplaints(text, change)
  return { kind: 'refused', unmet, because: (name) => about(name) || 'rpm refused it without a word' }
}

async function configFilesOf(programs: RpmPrograms, removes: ReadonlySet<PackageName>): Promise<ConfigFiles> {
  const configs = new Map<PackageName, string[]>()
  for (const name of removes) configs.set(name, (await programs.configFiles(name)).split('\n'))
  return configs
}

async function ranIn(
  programs: RpmPrograms,
  change: Change,
  { result, text, configs }: { result: RunResult; text: string; configs: ConfigFiles },
): Promise<Ran> {
  const { culprits, unmet, late, about } = parseRpmComplaints(text, change)
  const ended = result.timedOut && culprits.size === 0 ? lastBegun(text) : undefined
  if (ended !== undefined) culprits.add(ended)
  // dnf and zypper solve by themselves, and say only now that a package lacks something.
  for (const name of unmet) culprits.add(name)
  const tooLong = result.timedOut ? 'took too long and was ended' : ''
  return {
    kind: 'ran',
    failed: result.code !== 0,
    timedOut: result.timedOut,
    culprits,
    complaint: (name) => [tooLong, about(name)].filter((part) => part !== '').join('; '),
    notes: await notesOf(programs, text, { late, configs }),
  }
}

/** `late`: scriptlets that failed when their package was in place already. */
async function notesOf(
  programs: RpmPrograms,
  text: string,
  { late, configs }: { late: ReadonlyMap<PackageName, string>; configs: ConfigFiles },
): Promise<Map<PackageName, string>> {
  const found = new Map<PackageName, string[]>([...late].map(([name, line]) => [name, [line]]))
  for (const { path: file, beside, isSaved } of parseConfigNotes(text)) {
    const removed = [...configs].find(([, files]) => files.includes(file))?.[0]
    const name = removed ?? (await programs.owners([file])).trim().split('\n')[0] ?? ''
    const note = isSaved ? `saved changed ${file} as ${beside}` : `kept changed ${file}; the package's own is ${beside}`
    found.set(name, [...(found.get(name) ?? []), note])
  }
  return new Map([...found].map(([name, notes]) => [name, findingsText(notes)]))
}
