// rpm as the package system of a shared transaction: what is checked of each file, and how two
// builds are told apart.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { Manifest } from '../../../model/manifest.ts'
import { archOfRpm } from '../../../model/rpm.ts'
import type { PackageSystem } from '../package-system.ts'
import type { Provider, Step } from '../provider.ts'
import type { RpmFrontEnd } from './rpm-front-end.ts'
import { installedOf } from './rpm-identity.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import type { RpmSettings } from './rpm-settings.ts'
import { signatureProblemIn, signaturesDemandedBy } from './rpm-signatures.ts'
import { parseRpmQuery } from './rpm-text.ts'
import type { RpmToolParts } from './rpm-tools.ts'
import { rpmTransaction } from './rpm-transaction.ts'

export interface RpmSystemParts {
  disk: RpmToolParts['disk']
  frontEnd: RpmFrontEnd
  programs: RpmPrograms
  inspect: Provider['inspect']
  settings(): Promise<RpmSettings>
}

export function rpmSystemFor({ frontEnd, disk, programs, inspect, settings }: RpmSystemParts): PackageSystem {
  return {
    inspect,
    // rpm ends what it began in the next transaction; its database and the locks may need a repair.
    prepare: (context) => programs.repair(context),
    tidy: async () => {},
    problemOf: async (manifest, payload) =>
      (await problemOf(programs, manifest, payload)) ?? (await signatureProblemOf(programs, await settings(), payload)),
    isOther: (step) => isOther(programs, step),
    filesIn: (payload) => programs.fileCount(payload),
    transact: (change, context) => rpmTransaction({ frontEnd, disk, programs, settings }, change, context),
    finish: ({ workFolder }) => disk.remove(path.join(workFolder, 'rpm')),
  }
}

async function problemOf(programs: RpmPrograms, manifest: Manifest, payload: string): Promise<string | undefined> {
  let text: string
  try {
    text = await programs.file(payload)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return error.message
  }
  const entry = parseRpmQuery(text)[0]
  const found = `${entry?.name} ${entry?.version} ${archOfRpm(entry?.arch ?? '') ?? entry?.arch}`
  const wanted = `${manifest.name} ${manifest.version} ${manifest.arch}`
  return found === wanted ? undefined : `the package file is ${found}, its manifest says ${wanted}`
}

async function signatureProblemOf(
  programs: RpmPrograms,
  settings: RpmSettings,
  payload: string,
): Promise<string | undefined> {
  const demandedBy = signaturesDemandedBy(await programs.verifyLevel(), settings)
  if (demandedBy === undefined) return undefined
  const complaint = await programs.signatureComplaint(payload)
  return complaint === undefined ? undefined : signatureProblemIn(complaint, demandedBy)
}

/** Two builds of one version have different digests of their headers. */
async function isOther(programs: RpmPrograms, { action }: Step): Promise<boolean> {
  if (action.what !== 'reinstall' || action.cause !== 'pending' || action.source === null) return false
  const wanted = parseRpmQuery(await programs.file(action.source.path))[0]
  const there = (await installedOf(programs, [action.name])).filter(({ version }) => version === action.to)
  return there.every(({ build }) => build !== wanted?.build)
}
