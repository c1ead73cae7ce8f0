// What a package manager said of the files of packages, remembered from one question to the next
// while nothing is changed: it reads every byte for each answer.

import type { PackageName } from '../../../model/names.ts'
import type { PackageSystem } from '../package-system.ts'
import type { InspectOptions } from '../provider.ts'
import type { PackageFiles, VerifiedFiles } from './drift.ts'

/** For one `ensure`. */
export interface RememberedFiles {
  files: PackageFiles
  /** The package system, whose changes end what is remembered. */
  forgettingIn(system: PackageSystem): PackageSystem
}

interface Answer extends VerifiedFiles {
  names: ReadonlySet<PackageName>
  depth: InspectOptions['depth']
}

export function rememberedFiles(files: PackageFiles): RememberedFiles {
  let answers: Answer[] = []
  const forget = () => {
    answers = []
  }
  const forgetting = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    forget()
    try {
      return await work()
    } finally {
      forget()
    }
  }
  return {
    files: {
      ...files,
      async verify(names, depth) {
        const known = answers.find((one) => isAbout(one, names, depth))
        if (known !== undefined) {
          return {
            findings: [...known.findings],
            unread: new Map([...known.unread].filter(([name]) => names.includes(name))),
          }
        }
        const answer = await files.verify(names, depth)
        answers.push({ ...answer, names: new Set(names), depth })
        return answer
      },
    },
    forgettingIn: (system) => ({
      ...system,
      prepare: (context) => forgetting(() => system.prepare(context)),
      transact: (change, context) => forgetting(() => system.transact(change, context)),
      tidy: () => forgetting(() => system.tidy()),
    }),
  }
}

/**
 * Whether an answer says all about `names`. An answer about more packages does if nothing was found:
 * findings do not say whose they are.
 */
function isAbout(one: Answer, names: readonly PackageName[], depth: InspectOptions['depth']): boolean {
  if (one.depth !== depth || !names.every((name) => one.names.has(name))) return false
  return one.names.size === names.length || one.findings.length === 0
}
