// What a repository holds.

import type { Instant } from '../../model/names.ts'
import { type Fields, fieldsOf, numberOf, textOf, textsOf } from './fields.ts'
import { factsText, tableText } from './table.ts'
import { ageText, bytesText } from './units.ts'

export function packageListText(packages: readonly Fields[]): string {
  if (packages.length === 0) return 'the repository is empty'
  return tableText(
    [
      { title: 'PACKAGE' },
      { title: 'KIND' },
      { title: 'LATEST' },
      { title: 'VERSIONS', align: 'right' },
      { title: 'SUMMARY' },
    ],
    packages.map((each) => [
      textOf(each['name']) ?? '?',
      textOf(each['kind']) ?? textsOf(each['kinds']).join(', '),
      textOf(each['latest']) ?? '-',
      Array.isArray(each['versions']) ? String(each['versions'].length) : (textOf(each['versions']) ?? '-'),
      textOf(each['summary']) ?? '',
    ]),
  )
}

/** Every version of one package. */
export function packageText(versions: readonly Fields[], now: Instant): string {
  return versions
    .map((version) => {
      const manifest = { ...version, ...fieldsOf(version['manifestBody']), ...fieldsOf(version['body']) }
      const payload = fieldsOf(manifest['payload'])
      const size = numberOf(payload['size']) ?? numberOf(manifest['size'])
      const published = numberOf(version['published']) ?? numberOf(version['publishedAt'])
      return factsText({
        package: textOf(manifest['name']),
        version: textOf(manifest['version']),
        kind: textOf(manifest['kind']),
        arch: textOf(manifest['arch']),
        summary: textOf(manifest['summary']),
        depends: textsOf(manifest['depends']).join(', '),
        payload: size === undefined ? undefined : `${bytesText(size)}${viaText(payload)}`,
        sha256: textOf(payload['sha256']) ?? textOf(manifest['sha256']),
        'info hash': textOf(payload['infoHash']) ?? textOf(manifest['infoHash']),
        manifest: textOf(version['manifest']),
        published: published === undefined ? undefined : ageText(published, now),
      })
    })
    .join('\n\n')
}

function viaText(payload: Fields): string {
  const pieceLength = numberOf(payload['pieceLength'])
  if (payload['via'] === 'swarm' && pieceLength !== undefined) return ` in pieces of ${bytesText(pieceLength)}`
  return payload['via'] === 'object' ? ', too small for a swarm' : ''
}
