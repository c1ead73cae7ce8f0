// What a repository holds.

import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { Published } from '../../model/local-api/packages.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import type { Instant } from '../../model/names.ts'
import { targetText } from '../../model/packages/target.ts'
import { factsText, tableText } from './table.ts'
import { agoText, bytesText, sizeText } from './units.ts'

type PackageSummary = Readable<AnswerOf<'GET /packages'>['packages'][number]>
type Version = Readable<AnswerOf<'GET /packages/:name'>['versions'][number]>

export function packageListText(packages: readonly PackageSummary[]): string {
  if (packages.length === 0) return 'the repository is empty'
  const hasTargets = packages.some(({ targets = [] }) => targets.length > 0)
  return tableText(
    [
      { title: 'PACKAGE' },
      { title: 'KIND' },
      { title: 'LATEST' },
      { title: 'VERSIONS', align: 'right' },
      { title: 'ARCH' },
      ...(hasTargets ? [{ title: 'FOR' }] : []),
      { title: 'SIZE', align: 'right' },
      { title: 'SUMMARY' },
    ],
    packages.map(({ name, kind, kinds = [], versions = [], archs = [], targets = [], bytes, summary }) => [
      name ?? '?',
      kinds.length > 1 ? kinds.join(' ') : kind,
      versions[0],
      versions.length,
      archs.join(' '),
      ...(hasTargets ? [targets.join(' ')] : []),
      sizeText(bytes),
      summary ?? '',
    ]),
  )
}

/** Every version of one package. */
export function packageText(versions: readonly Version[], now: Instant): string {
  return versions
    .map((each) =>
      factsText({
        package: each.name,
        version: each.version,
        kind: each.kind,
        arch: each.arch,
        for: each.target === undefined ? undefined : targetText(each.target),
        summary: each.summary,
        depends: (each.depends ?? []).join(', '),
        payload: payloadText(each.payload),
        installed: sizeText(each.installedSize),
        published: each.published === undefined ? undefined : agoText(now - each.published),
        sha256: each.payload?.sha256,
        'info hash': each.payload?.infoHash,
        manifest: each.manifest,
      }),
    )
    .join('\n\n')
}

/** What `banyan publish` made. */
export function publishedText({ name, version, kind, arch, target, payload, outcome }: Readable<Published>): string {
  const place = target === undefined ? undefined : `for ${targetText(target)}`
  const described = [kind, arch, place, payloadText(payload)].filter((part) => part !== undefined)
  const what = `${name ?? '?'} ${version ?? '?'} (${described.join(', ')})`
  return outcome === 'already' ? `${what} was published before` : `published ${what}`
}

function payloadText({ size, pieceLength }: Version['payload'] = {}): string | undefined {
  if (size === undefined) return undefined
  if (pieceLength === undefined) return bytesText(size)
  return `${bytesText(size)} in pieces of ${bytesText(pieceLength)}`
}
