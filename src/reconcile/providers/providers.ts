// The providers of one machine, and an inspection by all of them.

import type { DesiredPackage } from '../../model/desired.ts'
import { Failure } from '../../model/failure.ts'
import type { Kind, Manifest } from '../../model/manifest.ts'
import type { PackageName, Sha256 } from '../../model/names.ts'
import type { Disk, Exec } from '../../world/world.ts'
import { type Actual, type InstalledRecord, unreadActual } from '../actual.ts'
import { byNameAndKind } from '../differences.ts'
import { ignoredPathsOf } from '../ignored.ts'
import { debProvider } from './deb/deb.ts'
import { type DebWaits, debWaits } from './deb/deb-tools.ts'
import type { InspectOptions, Provider, Providers } from './provider.ts'
import { rpmProvider } from './rpm/rpm.ts'
import type { RpmFrontEndName } from './rpm/rpm-front-end.ts'
import { type RpmWaits, rpmWaits } from './rpm/rpm-tools.ts'
import { treeProvider } from './tree/tree.ts'

export interface ProvidersParts {
  /** Packages are installed below this folder. */
  targetRoot: string
  exec: Pick<Exec, 'run' | 'which'>
  disk: Disk
  /** For hooks without a time of their own. */
  hookTimeoutMs?: number
  /** Where providers keep what they remember; the default is `var/lib/banyan` below the target root. */
  home?: string
  debWaits?: Partial<DebWaits>
  rpmWaits?: Partial<RpmWaits>
  /** The default is what the machine has: dnf, else zypper, else rpm. */
  rpmFrontEnd?: RpmFrontEndName
}

/** One provider for each kind, whether or not the machine has its package manager. */
export function providersFor(parts: ProvidersParts): Providers {
  const rpmParts = {
    ...{ targetRoot: parts.targetRoot, exec: parts.exec, disk: parts.disk },
    ...(parts.home === undefined ? {} : { home: parts.home }),
    waits: { ...rpmWaits, ...parts.rpmWaits },
    ...(parts.rpmFrontEnd === undefined ? {} : { frontEnd: parts.rpmFrontEnd }),
  }
  const all: Provider[] = [
    debProvider({ ...parts, waits: { ...debWaits, ...parts.debWaits } }),
    treeProvider(parts),
    rpmProvider(rpmParts),
  ]
  return new Map(all.map((provider) => [provider.kind, provider]))
}

/**
 * Everything on the machine that the desired state or our own records name, sorted by name. A
 * package manager that cannot be asked leaves its own packages unread, and no others. Changes
 * nothing.
 */
export async function inspectAll(
  providers: Providers,
  wanted: {
    desired: readonly DesiredPackage[]
    manifests: ReadonlyMap<Sha256, Manifest>
    installed: readonly InstalledRecord[]
    depth: InspectOptions['depth']
  },
): Promise<Actual[]> {
  const namesOf = (kind: Kind): PackageName[] => {
    const names = new Set(wanted.installed.filter((record) => record.kind === kind).map((record) => record.name))
    for (const one of wanted.desired) {
      const known = one.state === 'present' ? wanted.manifests.get(one.manifest)?.kind : undefined
      // For a package that must be absent, no manifest says the kind, so each provider looks for
      // it.
      if (known === undefined || known === kind) names.add(one.name)
    }
    return [...names].sort()
  }
  const ignored = ignoredPathsOf(wanted.desired, wanted.manifests)
  const looks = [...providers.values()].map(async (provider) => {
    const { kind } = provider
    const ours = wanted.installed.filter((record) => record.kind === kind).map((record) => record.name)
    const names = namesOf(kind)
    try {
      return await provider.inspect(names, { owned: new Set(ours), depth: wanted.depth, ignored })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return names.map((name) => unreadActual({ name, kind }, error.message))
    }
  })
  return (await Promise.all(looks)).flat().sort(byNameAndKind)
}
