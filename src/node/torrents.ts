// The .torrent file of a package, for ordinary clients.

import { Failure } from '../model/failure.ts'
import type { TorrentQuery } from '../model/local-api/requests.ts'
import type { InfoHash, PackageName, PackageVersion } from '../model/names.ts'
import { own } from '../model/packages/records.ts'
import { targetText } from '../model/packages/target.ts'
import { eachBuildOf, type Revision } from '../model/revision.ts'
import { torrentFileOf } from '../swarm/torrent-file.ts'
import type { RunningNode } from './daemon.ts'
import type { PlainEndpoint } from './plain.ts'

export interface Torrent {
  name: PackageName
  version: PackageVersion
  infoHash: InfoHash
  /** The URL of this node's tracker, which the file names. */
  announce: string
  /** The bytes of the file, in base64. */
  torrent: string
}

/**
 * Throws `unsupported` where the plain endpoint is off, `not-found` for a payload that is not here
 * whole or that the revision in force does not name, and `conflict` if several versions or
 * architectures match.
 */
export async function torrentOf(
  { node, plain }: { node: Pick<RunningNode, 'state' | 'swarm'>; plain: PlainEndpoint | null },
  { name, version, arch, target }: { name: string } & TorrentQuery,
): Promise<Torrent> {
  if (plain === null) {
    throw new Failure('unsupported', 'ordinary clients are not let in here', {
      hint: 'set plain in node.yaml, for instance plain: {}, and restart the daemon',
    })
  }
  const { revision } = node.state()
  const builds = revision === null ? [] : buildsFor(revision.body, name)
  const meant = builds.filter((each) => {
    const isTarget = target === undefined || target === targetText(each.target)
    return isTarget && (version ?? each.version) === each.version && (arch ?? each.arch) === each.arch
  })
  if (meant.length === 0)
    throw new Failure('not-found', `${[name, version, arch, target].filter(Boolean).join(' ')}: not in the revision`)
  const manifests = new Set(meant.map(({ manifest }) => manifest))
  const here = node.swarm
    .stored()
    .filter(({ manifest, infoHash }) => manifests.has(manifest) && node.swarm.plain.gives(infoHash))
  const [found, another] = here
  if (found === undefined) {
    throw new Failure('not-found', `${name}: no payload of it is here whole that travels in pieces`, {
      retry: 'later',
      hint: 'payloads below 1 MiB do not; of others, banyan status says how far they are',
    })
  }
  if (another !== undefined) {
    const known = meant
      .map(({ version, arch, target }) => [version, arch, targetText(target)].join(' ').trim())
      .join(', ')
    throw new Failure('conflict', `${name}: more than one is meant: ${known}`, {
      hint: 'name the version, its --arch, or the machines that it is --for',
    })
  }
  const metainfo = await node.swarm.plain.metainfo(found.infoHash)
  if (metainfo === undefined) throw new Failure('not-found', `${name}: its metainfo is not here`)
  return {
    ...{ name: found.name, version: found.version, infoHash: found.infoHash, announce: plain.announceUrl },
    torrent: Buffer.from(torrentFileOf(metainfo, plain.announceUrl)).toString('base64'),
  }
}

/**
 * The builds of a package that a revision wants, for whatever node; each once, however many rules
 * want it.
 */
function buildsFor({ rules, earlier = [] }: Revision, name: string) {
  const builds = [rules, ...earlier.map((each) => each.rules)].flat().flatMap(({ packages }) => {
    const wanted = own(packages, name)
    return wanted === undefined ? [] : eachBuildOf(wanted).map(({ build, ...each }) => ({ ...each, ...build }))
  })
  return [...new Map(builds.map((build) => [build.manifest, build])).values()]
}
