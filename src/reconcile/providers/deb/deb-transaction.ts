// Debian packages through apt: whole files, no repository, and nothing but what the plan names.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { PackageName } from '../../../model/names.ts'
import type { Change, PackageSystem, TransactionResult } from '../package-system.ts'
import { type ApplyContext, findingsText, type Provider } from '../provider.ts'
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

export interface DebSystemParts extends DebProgramParts {
  programs: DebPrograms
  inspect: Provider['inspect']
}

export function debSystem({ targetRoot, disk, programs, inspect }: DebSystemParts): PackageSystem {
  /** Simulates first: apt solves as it likes, and whatever is not in the plan was not signed for. */
  async function transact(change: Change, context: ApplyContext): Promise<TransactionResult> {
    const words = await wordsOf(change, context)
    const options = optionsOf(change)
    const simulation = await programs.apt(context.workFolder, words, ['-s', ...options])
    const simulated = parseSimulation(simulation.stdout)
    const beyond = [
      ...simulated.installs.filter((name) => !change.installs.has(name)).map((name) => `install ${name}`),
      ...simulated.removes.filter((name) => !change.removes.has(name)).map((name) => `remove ${name}`),
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
    const result = await programs.apt(context.workFolder, words, options, (line) => context.output(line))
    const text = `${result.stdout}\n${result.stderr}`
    context.output(text)
    const { about } = parseComplaints(text)
    const late = result.timedOut ? 'took too long and was ended' : ''
    return {
      kind: 'ran',
      failed: result.code !== 0,
      timedOut: result.timedOut,
      culprits: culpritsOf(change, text),
      notes: await conffileNotes(parseKeptConffiles(text)),
      complaint: (name) => [late, about(name)].filter((part) => part !== '').join('; '),
    }
  }

  /** apt takes a file only by a name that ends in `.deb`; payloads are named by their digest. */
  async function wordsOf({ installs, removes }: Change, { workFolder }: ApplyContext): Promise<string[]> {
    const folder = path.join(workFolder, 'deb')
    await disk.makeFolder(folder, { mode: 0o700 })
    const words: string[] = []
    for (const [name, payload] of installs) {
      const file = path.join(folder, `${name}.deb`)
      await disk.pointLink(file, payload)
      words.push(file)
    }
    return [...words, ...[...removes].map((name) => `${name}-`)]
  }

  async function conffileNotes(files: readonly string[]): Promise<Map<PackageName, string>> {
    const notes = new Map<PackageName, string>()
    if (files.length === 0) return notes
    const owners = parseOwners(await programs.owners(files))
    for (const [name, own] of Map.groupBy(files, (file) => owners.get(file))) {
      if (name === undefined) continue
      notes.set(name, `kept changed ${findingsText(own)}; the package's own lies beside it as .dpkg-dist`)
    }
    return notes
  }

  return {
    inspect,
    transact,

    /** As long as it is there, apt refuses everything. */
    async prepare(context) {
      if (path.resolve(targetRoot) !== '/' && !(await programs.hasDatabase())) await programs.makeDatabase()
      if ((await programs.audit()) === '') return
      await context.journal('repairing an interrupted dpkg')
      const result = await programs.configureAll()
      context.output(result.stdout + result.stderr)
      if (result.timedOut) await programs.closeJournal()
    },

    async problemOf(manifest, payload) {
      let control: Map<string, string>
      try {
        control = parseControl(await programs.control(payload))
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        return error.message
      }
      const said = `${control.get('Package')} ${control.get('Version')} ${control.get('Architecture')}`
      const meant = `${manifest.name} ${manifest.version} ${manifest.arch}`
      return said === meant ? undefined : `the package file is ${said}, its manifest says ${meant}`
    },

    // Nothing on the machine tells the two apart: before, the plan is believed, and then only apt's own word tells
    // whether it got that far.
    async isOther({ action }, tried) {
      const isMeant = action.what === 'reinstall' && action.cause === 'pending'
      return isMeant && (tried === undefined || (tried.kind === 'ran' && tried.failed))
    },

    leavesDependents: false,

    async tidy() {
      await programs.closeJournal()
    },

    // apt's own cache of what it read: some megabytes.
    finish: ({ workFolder }) => disk.remove(path.join(workFolder, 'apt')),
  }
}

function optionsOf({ removes, downgrades, reinstalls, isBack }: Change): string[] {
  return [
    ...(removes.size > 0 || isBack ? [] : ['--no-remove']),
    ...(downgrades ? ['--allow-downgrades'] : []),
    ...(reinstalls ? ['--reinstall'] : []),
    ...(isBack ? ['--allow-remove-essential'] : []),
  ]
}

/** dpkg names a file by where it really lies: payloads, by their digest. */
function culpritsOf({ installs, removes }: Change, text: string): Set<PackageName> {
  const named = parseCulprits(text)
  const isNamed = (name: PackageName, payload?: string) =>
    named.has(name) || named.has(`${name}.deb`) || (payload !== undefined && named.has(path.basename(payload)))
  return new Set([
    ...[...installs].filter(([name, payload]) => isNamed(name, payload)).map(([name]) => name),
    ...[...removes].filter((name) => isNamed(name)),
  ])
}
