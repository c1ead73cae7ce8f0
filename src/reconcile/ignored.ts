// Which paths the policy and the packages leave alone, and how long hooks may take: what an apply has
// to know beside the digests. Pure.

import type { DesiredPackage } from '../model/desired.ts'
import type { Manifest } from '../model/manifest.ts'
import type { PackageName, Sha256 } from '../model/names.ts'
import type { Plan } from './plan.ts'

/** For each package that has some, the patterns of absolute paths that are left as they are. */
export function ignoredPathsOf(
  desired: readonly DesiredPackage[],
  manifests: ReadonlyMap<Sha256, Manifest>,
): Map<PackageName, string[]> {
  const ignored = new Map<PackageName, string[]>()
  for (const wanted of desired) {
    const manifest = wanted.state === 'present' ? manifests.get(wanted.manifest) : undefined
    const own = (manifest?.ignore ?? []).map((glob) => `/opt/${wanted.name}/current/${glob}`)
    const globs = [...(wanted.terms?.ignore ?? []), ...own]
    if (globs.length > 0) ignored.set(wanted.name, globs)
  }
  return ignored
}

/** The plan with what its actions leave alone, and with the times that rules give hooks. */
export function withTerms(
  plan: Plan,
  desired: readonly DesiredPackage[],
  ignored: ReadonlyMap<PackageName, readonly string[]>,
): Plan {
  const terms = new Map(desired.flatMap(({ name, terms }) => (terms === undefined ? [] : [[name, terms]])))
  const actions = plan.actions.map((action) => {
    // Only what is put there again may run into a file that somebody wants left alone.
    const ignore = action.what === 'reinstall' ? ignored.get(action.name) : undefined
    const hookTimeoutMs = terms.get(action.name)?.hookTimeoutMs
    return {
      ...action,
      ...(ignore !== undefined && { ignore: [...ignore] }),
      ...(hookTimeoutMs !== undefined && { hookTimeoutMs }),
    }
  })
  return { ...plan, actions }
}
