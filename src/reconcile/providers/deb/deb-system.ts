// apt and dpkg as the package system of a shared transaction: what is repaired before, and what is
// checked of each file.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { Manifest } from '../../../model/manifest.ts'
import type { PackageSystem } from '../package-system.ts'
import { type ApplyContext, findingsText, type Provider } from '../provider.ts'
import type { DebPrograms } from './deb-programs.ts'
import { debPutBack } from './deb-put-back.ts'
import { parseComplaints, parseControl, parseDpkgQuery, pathsInContents } from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'
import { debTransaction } from './deb-transaction.ts'

export interface DebSystemParts extends DebProgramParts {
  programs: DebPrograms
  inspect: Provider['inspect']
}

export function debSystemFor(parts: DebSystemParts): PackageSystem {
  const { programs, disk, inspect } = parts
  return {
    inspect,
    prepare: (context) => repair(parts, context),
    problemOf: (manifest, payload) => problemOf(programs, manifest, payload),
    filesIn: async (payload) => pathsInContents(await programs.contents(payload)).length,
    transact: (change, context) => (change.isBack ? debPutBack : debTransaction)({ programs, disk }, change, context),

    // Nothing on the machine tells the two contents apart. Before the transaction the plan is
    // believed; afterwards only apt's own exit tells whether it got that far.
    async isOther({ action }, result) {
      const isMeant = action.what === 'reinstall' && action.cause === 'pending'
      return isMeant && (result === undefined || (result.kind === 'ran' && result.failed))
    },

    async tidy() {
      await programs.closeJournal()
    },

    // apt's own cache of what it read: some megabytes.
    finish: ({ workFolder }) => disk.remove(path.join(workFolder, 'apt')),
  }
}

/**
 * As long as dpkg's journal is open or a package is left half-way, apt refuses everything. A
 * database that dpkg itself cannot read throws, and names the file.
 */
async function repair({ targetRoot, programs }: DebSystemParts, context: ApplyContext): Promise<string | undefined> {
  if (path.resolve(targetRoot) !== '/' && !(await programs.hasDatabase())) await programs.makeDatabase()
  const leftBefore = await leftHalfWay(programs)
  if (leftBefore.length === 0 && !(await programs.hasJournal())) return undefined
  await context.journal('repairing an interrupted dpkg')
  const result = await programs.configureAll()
  const text = result.stdout + result.stderr
  context.output(text)
  if (result.timedOut) await programs.closeJournal()
  const left = await leftHalfWay(programs)
  const isWhole = left.length === 0 && !(await programs.hasJournal())
  const what = leftBefore.length === 0 ? '' : ` (${findingsText(leftBefore)})`
  if (isWhole) return `an interrupted dpkg was repaired by dpkg --configure -a${what}`
  const why = result.timedOut ? 'it took too long' : parseComplaints(text).all
  return `dpkg --configure -a could not repair ${findingsText(left)}${why === '' ? '' : `: ${why}`}`
}

/** The packages that `dpkg --configure -a` is for, each with its state. */
async function leftHalfWay(programs: DebPrograms): Promise<string[]> {
  const entries = parseDpkgQuery(await programs.query())
  return entries
    .filter(({ status }) => ['unpacked', 'half-configured', 'triggers-awaited', 'triggers-pending'].includes(status))
    .map(({ name, status }) => `${name} is ${status}`)
}

async function problemOf(programs: DebPrograms, manifest: Manifest, payload: string): Promise<string | undefined> {
  let control: Map<string, string>
  try {
    control = parseControl(await programs.control(payload))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return error.message
  }
  const found = `${control.get('Package')} ${control.get('Version')} ${control.get('Architecture')}`
  const wanted = `${manifest.name} ${manifest.version} ${manifest.arch}`
  return found === wanted ? undefined : `the package file is ${found}, its manifest says ${wanted}`
}
