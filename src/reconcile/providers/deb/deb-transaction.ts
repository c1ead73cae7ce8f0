// One transaction of apt: whole files, no repository, and nothing but what the plan names. apt is
// asked first what it would do, because it solves as it likes, and nobody has signed for what is
// not in the plan.

import path from 'node:path'
import type { PackageName } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change, Ran, Refused, TransactionResult } from '../package-system.ts'
import { type ApplyContext, findingsText } from '../provider.ts'
import type { DebPrograms } from './deb-programs.ts'
import {
  parseComplaints,
  parseConffiles,
  parseCulprits,
  parseOwners,
  parsePostInvoke,
  parseSimulation,
  parseUnmet,
} from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'

export interface DebTransactionParts {
  programs: DebPrograms
  disk: Pick<DebProgramParts['disk'], 'makeFolder' | 'pointLink'>
}

/** Simulates the change, refuses it if apt would do anything else, and then carries it out. */
export async function debTransaction(
  { programs, disk }: DebTransactionParts,
  change: Change,
  context: ApplyContext,
): Promise<TransactionResult> {
  const words = await wordsOf(disk, change, context.workFolder)
  const call = { workFolder: context.workFolder, words, options: optionsOf(change) }
  // Without `--no-remove`, apt names what it would remove.
  const asking = call.options.filter((option) => option !== '--no-remove')
  const simulation = await programs.apt({ ...call, options: ['-s', ...asking] })
  const native = await programs.nativeArch()
  const refusal = refusalIn(simulation, change, native, context)
  if (refusal !== undefined) return refusal
  await context.journal(`apt-get install ${words.map((word) => path.basename(word)).join(' ')}`)
  const result = await programs.apt({ ...call, onWait: (line) => context.output(line) })
  const text = `${result.stdout}\n${result.stderr}`
  context.output(text)
  const culprits = culpritsOf(change, text, native)
  return ranIn({ result, text, change, culprits }, await conffileNotes(programs, parseConffiles(text)))
}

/** apt takes a file only by a name that ends in `.deb`; payloads are named by their digest. */
async function wordsOf(
  disk: DebTransactionParts['disk'],
  { installs, removes }: Change,
  workFolder: string,
): Promise<string[]> {
  const folder = path.join(workFolder, 'deb')
  await disk.makeFolder(folder, { mode: 0o700 })
  const words: string[] = []
  for (const [name, payload] of installs) {
    const file = path.join(folder, fileNameOf(name))
    await disk.pointLink(file, payload)
    words.push(file)
  }
  return [...words, ...[...removes].map((name) => `${name}-`)]
}

/** apt would read what follows a colon as an architecture. */
function fileNameOf(name: PackageName): string {
  return `${name.replace(':', '_')}.deb`
}

function optionsOf({ removes, downgrades, reinstalls, isBack }: Change): string[] {
  return [
    ...(removes.size > 0 || isBack ? [] : ['--no-remove']),
    ...(downgrades ? ['--allow-downgrades'] : []),
    ...(reinstalls ? ['--reinstall'] : []),
    ...(isBack ? ['--allow-remove-essential'] : []),
  ]
}

/** Undefined if apt would do exactly what the change says. */
function refusalIn(simulation: RunResult, change: Change, native: string, context: ApplyContext): Refused | undefined {
  const { installs, removes } = parseSimulation(simulation.stdout, native)
  const beyond = [
    ...installs.filter((name) => !change.installs.has(name)).map((name) => `install ${name}`),
    ...removes.filter((name) => !change.removes.has(name)).map((name) => `remove ${name}`),
  ]
  if (beyond.length > 0) {
    const because = () => `apt would also ${findingsText(beyond)}, which is not in the plan`
    return { kind: 'refused', unmet: new Set(), because }
  }
  if (simulation.code === 0) return undefined
  const text = simulation.stdout + simulation.stderr
  context.output(text)
  const { about, all } = parseComplaints(text)
  const because = (name: PackageName) => (all === '' ? 'apt refused it without a word' : about(name))
  return { kind: 'refused', unmet: parseUnmet(text, native), because }
}

function ranIn(
  { result, text, change, culprits }: { result: RunResult; text: string; change: Change; culprits: Ran['culprits'] },
  notes: Ran['notes'],
): Ran {
  const { about, all } = parseComplaints(text)
  const hook = parsePostInvoke(text)
  // dpkg has done all of it, and a hook of the administrator failed afterwards.
  const isWhole = hook !== undefined && culprits.size === 0 && !all.includes('; ')
  const tooLong = result.timedOut ? 'took too long and was ended' : ''
  return {
    kind: 'ran',
    failed: result.code !== 0 && !isWhole,
    timedOut: result.timedOut,
    culprits,
    notes: hook === undefined ? notes : withHook(notes, change, hook),
    complaint: (name) => [tooLong, about(name)].filter((part) => part !== '').join('; '),
  }
}

/** One of the packages tells of it. */
function withHook(notes: Ran['notes'], { installs, removes }: Change, hook: string): Ran['notes'] {
  const [name] = [...installs.keys(), ...removes]
  if (name === undefined) return notes
  const text = `the hook DPkg::Post-Invoke ${hook} of this machine failed`
  return new Map([...notes, [name, [notes.get(name), text].filter(Boolean).join('; ')]])
}

/** dpkg names a file by where it really lies: a payload, by its digest. */
function culpritsOf({ installs, removes }: Change, text: string, native: string): Set<PackageName> {
  const named = parseCulprits(text, native)
  const isNamed = (name: PackageName, payload?: string) =>
    named.has(name) || named.has(fileNameOf(name)) || (payload !== undefined && named.has(path.basename(payload)))
  return new Set([
    ...[...installs].filter(([name, payload]) => isNamed(name, payload)).map(([name]) => name),
    ...[...removes].filter((name) => isNamed(name)),
  ])
}

async function conffileNotes(
  programs: DebPrograms,
  { kept, replaced }: ReturnType<typeof parseConffiles>,
): Promise<Map<PackageName, string>> {
  const notes = new Map<PackageName, string>()
  if (kept.length + replaced.length === 0) return notes
  const owners = parseOwners(await programs.owners([...kept, ...replaced]), await programs.nativeArch())
  const note = (files: readonly string[], textOf: (files: string) => string) => {
    for (const [name, own] of Map.groupBy(files, (file) => owners.get(file))) {
      if (name === undefined) continue
      notes.set(name, [notes.get(name), textOf(findingsText(own))].filter(Boolean).join('; '))
    }
  }
  note(kept, (files) => `kept changed ${files}; the package's own lies beside it as .dpkg-dist`)
  note(replaced, (files) => `replaced changed ${files} by this machine's force-confnew; the former is .dpkg-old`)
  return notes
}
