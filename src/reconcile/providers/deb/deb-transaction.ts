// One transaction of apt: whole files, no repository, and nothing but what the plan names. apt is
// asked first what it would do, because it solves as it likes, and nobody has signed for what is
// not in the plan.

import path from 'node:path'
import type { PackageName } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change, Ran, Refused, TransactionResult } from '../package-system.ts'
import { type ApplyContext, findingsText } from '../provider.ts'
import { asIfWhole, changeByDpkg, inTheWayOf, inTheWayText } from './deb-by-dpkg.ts'
import type { DebPrograms } from './deb-programs.ts'
import {
  parseComplaints,
  parseConffiles,
  parseCulprits,
  parseOwners,
  parsePostInvoke,
  parseSimulation,
  parseUnmet,
  parseUnprocessed,
  parseVanished,
} from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'

export interface DebTransactionParts {
  programs: DebPrograms
  disk: Pick<DebProgramParts['disk'], 'makeFolder' | 'pointLink' | 'write'>
}

/** Simulates the change, refuses it if apt would do anything else, and then carries it out. */
export async function debTransaction(
  { programs, disk }: DebTransactionParts,
  change: Change,
  context: ApplyContext,
): Promise<TransactionResult> {
  const files = await filesOf(disk, change, context.workFolder)
  const words = [...files.values(), ...[...change.removes].map((name) => `${name}-`)]
  const call = { workFolder: context.workFolder, words, options: optionsOf(change) }
  // Without `--no-remove`, apt names what it would remove.
  const asking = ['-s', ...call.options.filter((option) => option !== '--no-remove')]
  let simulation = await programs.apt({ ...call, options: asking })
  const inTheWay = await inTheWayOf(programs, change, simulation)
  if (inTheWay !== undefined) {
    const copy = path.join(context.workFolder, 'apt/status')
    await disk.write(copy, asIfWhole(await programs.status(), inTheWay), { mode: 0o600 })
    simulation = await programs.apt({ ...call, options: [...asking, '-o', `Dir::State::status=${copy}`] })
  }
  const native = await programs.nativeArch()
  const refusal = refusalIn(simulation, change, native, context)
  // apt refuses to bring back what was there before if what is there now lacks something.
  const isOnlyDpkgs = change.isBack && inTheWay?.kind === 'lacking'
  if (refusal !== undefined && !isOnlyDpkgs) return refusal
  const result =
    inTheWay === undefined
      ? await runByApt(programs, call, context)
      : await changeByDpkg(programs, { change, simulation, files }, context)
  const text = `${result.stdout}\n${result.stderr}`
  context.output(text)
  const culprits = culpritsOf(change, text, native)
  const notes = await conffileNotes(programs, parseConffiles(text))
  const remarks = [...(inTheWay === undefined ? [] : [inTheWayText(inTheWay)]), ...besideIn(text, change, native)]
  const all = remarks.reduce<Ran['notes']>((so, remark) => withNote(so, change, remark), notes)
  return ranIn({ result, text, change, culprits }, all)
}

async function runByApt(
  programs: DebPrograms,
  call: Parameters<DebPrograms['apt']>[0],
  context: ApplyContext,
): Promise<RunResult> {
  await context.journal(`apt-get install ${call.words.map((word) => path.basename(word)).join(' ')}`)
  return await programs.apt({ ...call, onWait: (line) => context.output(line) })
}

/** apt takes a file only by a name that ends in `.deb`; payloads are named by their digest. */
async function filesOf(
  disk: DebTransactionParts['disk'],
  { installs }: Change,
  workFolder: string,
): Promise<Map<PackageName, string>> {
  const folder = path.join(workFolder, 'deb')
  await disk.makeFolder(folder, { mode: 0o700 })
  const files = new Map<PackageName, string>()
  for (const [name, payload] of installs) {
    const file = path.join(folder, fileNameOf(name))
    await disk.pointLink(file, payload)
    files.set(name, file)
  }
  return files
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
    notes: hook === undefined ? notes : withNote(notes, change, hookText(hook)),
    complaint: (name) => [tooLong, about(name)].filter((part) => part !== '').join('; '),
  }
}

function hookText(hook: string): string {
  return `the hook DPkg::Post-Invoke ${hook} of this machine failed`
}

/** What became of packages that the change is not about: triggers ran for them, or they have gone. */
function besideIn(text: string, { installs, removes }: Change, native: string): string[] {
  const isBeside = (name: PackageName) => !installs.has(name) && !removes.has(name)
  const { about } = parseComplaints(text)
  return [
    ...[...parseUnprocessed(text, native)].filter(isBeside).map((name) => `${name} failed beside it: ${about(name)}`),
    ...parseVanished(text, native)
      .filter(isBeside)
      .map((name) => `${name} has gone: other packages have all of its files now`),
  ]
}

/** One of the packages tells of it. */
function withNote(notes: Ran['notes'], { installs, removes }: Change, text: string): Ran['notes'] {
  const [name] = [...installs.keys(), ...removes]
  if (name === undefined) return notes
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
