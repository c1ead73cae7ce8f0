// apt and dpkg as the package system of a shared transaction: what is repaired before, and what is
// checked of each file.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { Manifest } from '../../../model/manifest.ts'
import type { PackageSystem } from '../package-system.ts'
import type { ApplyContext, Provider } from '../provider.ts'
import type { DebPrograms } from './deb-programs.ts'
import { parseControl } from './deb-text.ts'
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
    transact: (change, context) => debTransaction({ programs, disk }, change, context),

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

/** As long as a package is left half-way, apt refuses everything. */
async function repair({ targetRoot, programs }: DebSystemParts, context: ApplyContext): Promise<void> {
  if (path.resolve(targetRoot) !== '/' && !(await programs.hasDatabase())) await programs.makeDatabase()
  if ((await programs.audit()) === '') return
  await context.journal('repairing an interrupted dpkg')
  const result = await programs.configureAll()
  context.output(result.stdout + result.stderr)
  if (result.timedOut) await programs.closeJournal()
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
