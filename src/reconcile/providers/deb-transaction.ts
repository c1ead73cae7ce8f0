// Debian packages through apt: whole files, no repository, and nothing but what the plan names.

import path from 'node:path'
import { Failure } from '../../model/failure.ts'
import type { PackageName } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import type { Actual } from '../actual.ts'
import { groupsOf } from './deb-groups.ts'
import type { DebProgramParts, DebPrograms } from './deb-programs.ts'
import {
  parseComplaints,
  parseControl,
  parseCulprits,
  parseKeptConffiles,
  parseOwners,
  parseSimulation,
  parseUnmet,
} from './deb-text.ts'
import {
  type ApplyContext,
  findingsText,
  heldOutcome,
  isReached,
  outcomeOf,
  type Provider,
  type Step,
} from './provider.ts'

export interface DebTransactionParts extends DebProgramParts {
  programs: DebPrograms
  inspect: Provider['inspect']
}

type Tried =
  /** unmet: those that apt says lack something. Nothing was touched. */
  | { kind: 'refused'; unmet: ReadonlySet<PackageName>; because: (name: PackageName) => string }
  | { kind: 'ran'; failed: boolean; text: string; timedOut: boolean; complaint: (name: PackageName) => string }

interface Planned {
  installs: ReadonlySet<PackageName>
  removes: ReadonlySet<PackageName>
}

export async function ensureDebs(
  { targetRoot, disk, programs, inspect }: DebTransactionParts,
  steps: readonly Step[],
  context: ApplyContext,
): Promise<Outcome[]> {
  const names = steps.map(({ action }) => action.name)
  const problems = new Map<PackageName, string>()
  const notes = new Map<PackageName, string>()
  const acted = new Set<PackageName>()
  const folder = path.join(context.workFolder, 'deb')
  let before = new Map<PackageName, Actual>()
  /** apt does not look whether what it is about to unpack fits. */
  let promisedBytes = 0

  async function now(): Promise<Map<PackageName, Actual>> {
    const owned = new Set(steps.filter(({ action }) => action.what === 'reinstall').map(({ action }) => action.name))
    return new Map((await inspect(names, { owned, depth: 'full' })).map((one) => [one.name, one]))
  }

  /** What a killed apt or dpkg left behind, ours or somebody else's: as long as it is there, apt refuses everything. */
  async function repair(): Promise<void> {
    if ((await programs.audit()) === '') return
    await context.journal('repairing an interrupted dpkg')
    const result = await programs.configureAll()
    context.output(result.stdout + result.stderr)
    if (result.timedOut) await programs.closeJournal()
  }

  /** What is wrong with a package file before anything is touched. */
  async function problemOf({ action, manifest }: Step): Promise<string | undefined> {
    if (action.source === null || manifest === null) return undefined
    let control: Map<string, string>
    try {
      control = parseControl(await programs.control(action.source.path))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return error.message
    }
    const said = `${control.get('Package')} ${control.get('Version')} ${control.get('Architecture')}`
    const meant = `${manifest.name} ${manifest.version} ${manifest.arch}`
    if (said !== meant) return `the package file is ${said}, its manifest says ${meant}`
    const needed = promisedBytes + Math.ceil(1.1 * manifest.installedSize) + manifest.payload.size
    const free = await disk.freeBytes(targetRoot)
    if (free < needed) return `no space: ${needed} bytes needed below ${targetRoot}, ${free} free`
    promisedBytes = needed
    return undefined
  }

  /** All in one transaction, or else by the groups that need each other, so that one bad package stops only its own. */
  async function carryOut(batch: readonly Step[]): Promise<void> {
    const groups = groupsOf(batch)
    const tried = await attempt(batch)
    if (tried.kind === 'refused') {
      if (groups.length > 1) for (const group of groups) await carryOut(group)
      else await refuse(batch, tried)
      return
    }
    const after = await now()
    const culprits = culpritsOf(batch, tried.text)
    // One that was ended has said nothing; dpkg still knows which package it was at.
    if (tried.timedOut) for (const one of after.values()) if (/half-/.test(one.found)) culprits.add(one.name)
    const missed = batch.filter((step) => {
      if (culprits.has(step.action.name) || !isReached(step.action, after.get(step.action.name))) return true
      // Only apt's own word tells whether it got that far.
      return isOtherContent(step) && tried.failed
    })
    if (missed.length === 0) return
    for (const { action } of missed) problems.set(action.name, tried.complaint(action.name))
    await putBack(missed, after, tried.timedOut)
    if (groups.length === 1) return
    for (const group of groups) {
      if (group.some(({ action }) => culprits.has(action.name))) continue
      const open = group.filter((step) => missed.includes(step))
      for (const { action } of open) problems.delete(action.name)
      if (open.length > 0) await carryOut(open)
    }
  }

  /**
   * What lacks something is left out, and the rest tried again: a package that needs what was left out then lacks it, and
   * one that others need, say libc6, is not kept back by one of them.
   */
  async function refuse(
    group: readonly Step[],
    { unmet, because }: Extract<Tried, { kind: 'refused' }>,
  ): Promise<void> {
    const lacking = group.filter(({ action }) => unmet.has(action.name))
    const refused = lacking.length > 0 ? lacking : group
    const rest = group.filter((step) => !refused.includes(step))
    const earlier = new Map(problems)
    for (const { action } of refused) {
      const said = because(action.name)
      const causes = said.split(/[\s:(),]+/).map((word) => earlier.get(word) ?? '')
      const lines = [said, ...causes].flatMap((text) => text.split('; ')).filter((line) => line !== '')
      problems.set(action.name, [...new Set(lines)].join('; '))
    }
    if (rest.length > 0) await carryOut(rest)
  }

  async function attempt(batch: readonly Step[]): Promise<Tried> {
    const words: string[] = []
    for (const { action } of batch) {
      words.push(action.source === null ? `${action.name}-` : await fileOf(action.name, action.source.path))
    }
    const whats = new Set(batch.map(({ action }) => action.what))
    const tried = await transact(
      words,
      [
        ...(whats.has('remove') ? [] : ['--no-remove']),
        ...(whats.has('downgrade') ? ['--allow-downgrades'] : []),
        ...(whats.has('reinstall') ? ['--reinstall'] : []),
      ],
      {
        installs: new Set(batch.filter(({ action }) => action.what !== 'remove').map(({ action }) => action.name)),
        removes: new Set(batch.filter(({ action }) => action.what === 'remove').map(({ action }) => action.name)),
      },
    )
    if (tried.kind === 'ran') for (const { action } of batch) acted.add(action.name)
    return tried
  }

  /** Simulates first: apt solves as it likes, and whatever is not in the plan was not signed for. */
  async function transact(words: readonly string[], options: readonly string[], planned: Planned): Promise<Tried> {
    const simulation = await programs.apt(context.workFolder, words, ['-s', ...options])
    const simulated = parseSimulation(simulation.stdout)
    const beyond = [
      ...simulated.installs.filter((name) => !planned.installs.has(name)).map((name) => `install ${name}`),
      ...simulated.removes.filter((name) => !planned.removes.has(name)).map((name) => `remove ${name}`),
    ]
    if (beyond.length > 0) {
      const because = () => `apt would also ${findingsText(beyond)}, which is not in the plan`
      return { kind: 'refused', unmet: new Set(), because }
    }
    if (simulation.code !== 0) {
      const text = simulation.stdout + simulation.stderr
      const { about, all } = parseComplaints(text)
      context.output(text)
      const because = (name: PackageName) => (all === '' ? 'apt refused it without a word' : about(name))
      return { kind: 'refused', unmet: parseUnmet(text), because }
    }
    await context.journal(`apt-get install ${words.map((word) => path.basename(word)).join(' ')}`)
    const result = await programs.apt(context.workFolder, words, options)
    const text = `${result.stdout}\n${result.stderr}`
    context.output(text)
    await noteConffiles(parseKeptConffiles(text))
    const { about } = parseComplaints(text)
    const late = result.timedOut ? 'took too long and was ended' : ''
    const complaint = (name: PackageName) => [late, about(name)].filter((part) => part !== '').join('; ')
    return { kind: 'ran', failed: result.code !== 0, text, timedOut: result.timedOut, complaint }
  }

  async function noteConffiles(files: readonly string[]): Promise<void> {
    if (files.length === 0) return
    const owners = parseOwners(await programs.owners(files))
    for (const [name, own] of Map.groupBy(files, (file) => owners.get(file))) {
      if (name === undefined) continue
      notes.set(name, `kept changed ${findingsText(own)}; the package's own lies beside it as .dpkg-dist`)
    }
  }

  /** A package that failed half-way stops every later apt: the version before it goes back, or it goes altogether. */
  async function putBack(
    missed: readonly Step[],
    after: ReadonlyMap<PackageName, Actual>,
    timedOut: boolean,
  ): Promise<void> {
    if (timedOut) await programs.closeJournal()
    const words: string[] = []
    const planned = { installs: new Set<PackageName>(), removes: new Set<PackageName>() }
    for (const { action } of missed) {
      const { name, previous } = action
      const earlier = before.get(name)
      const left = after.get(name)
      const untouched =
        left === undefined ? earlier === undefined : left.state === 'whole' && left.version === earlier?.version
      if (action.what === 'remove' || untouched) continue
      if (earlier === undefined) {
        words.push(`${name}-`)
        planned.removes.add(name)
      } else if (previous !== null && previous.version === earlier.version) {
        words.push(await fileOf(name, previous.path))
        planned.installs.add(name)
      } else {
        addProblem(name, `left as it is, for the payload of ${earlier.version} is not here`)
      }
    }
    if (words.length === 0) return
    // An essential package that was not there before is no loss.
    const options = ['--allow-downgrades', '--reinstall', '--allow-remove-essential']
    const back = await transact(words, options, planned)
    const there = await now()
    for (const name of [...planned.installs, ...planned.removes]) {
      const earlier = before.get(name)
      if (there.get(name)?.version === earlier?.version && (there.get(name)?.state ?? 'whole') === 'whole') {
        addProblem(name, earlier === undefined ? 'removed again' : `${earlier.version} was put back`)
      } else {
        const why = back.kind === 'refused' ? back.because(name) : back.complaint(name)
        addProblem(name, `${earlier?.version ?? 'nothing'} could not be put back: ${why}`)
      }
    }
  }

  function addProblem(name: PackageName, text: string): void {
    problems.set(name, [problems.get(name), text].filter((part) => part !== undefined && part !== '').join('; '))
  }

  /** apt takes a file only by a name that ends in `.deb`; payloads are named by their digest. */
  async function fileOf(name: PackageName, payload: string): Promise<string> {
    const file = path.join(folder, `${name}.deb`)
    await disk.pointLink(file, payload)
    return file
  }

  if (path.resolve(targetRoot) !== '/' && !(await programs.hasDatabase())) await programs.makeDatabase()
  await repair()
  before = await now()
  const held = new Set<Step>()
  const ready: Step[] = []
  for (const step of steps) {
    const there = before.get(step.action.name)
    if (isReached(step.action, there) && !isOtherContent(step)) continue
    const problem = there?.held ? undefined : await problemOf(step)
    if (there?.held) held.add(step)
    else if (problem !== undefined) problems.set(step.action.name, problem)
    else ready.push(step)
  }
  await disk.makeFolder(folder, { mode: 0o700 })
  if (ready.length > 0) await carryOut(ready)
  // apt's own cache of what it read: some megabytes, of no use to anybody later.
  await disk.remove(path.join(context.workFolder, 'apt'))
  const after = acted.size === 0 ? before : await now()
  return steps.map((step) => {
    const { action } = step
    const { name } = action
    const there = before.get(name)
    if (there !== undefined && held.has(step)) return heldOutcome(action, there)
    const parts = { action, before: there, after: after.get(name), acted: acted.has(name) }
    return outcomeOf({ ...parts, problem: problems.get(name), note: notes.get(name) })
  })
}

// The same version with other content: nothing on the machine tells the two apart, so the plan is believed.
function isOtherContent({ action }: Step): boolean {
  return action.what === 'reinstall' && action.cause === 'pending'
}

/** dpkg names a file by where it really lies: payloads, by their digest. */
function culpritsOf(batch: readonly Step[], text: string): Set<PackageName> {
  const named = parseCulprits(text)
  const isNamed = ({ name, source }: Step['action']) =>
    named.has(name) || named.has(`${name}.deb`) || (source !== null && named.has(path.basename(source.path)))
  return new Set(batch.flatMap(({ action }) => (isNamed(action) ? [action.name] : [])))
}
