// What a repository holds.

import type { Instant } from '../../model/names.ts'
import { type Fields, fieldsOf, numberOf, textOf, textsOf } from './fields.ts'
import { factsText, tableText } from './table.ts'
import { agoText, bytesText } from './units.ts'

export function packageListText(packages: readonly Fields[]): string {
  if (packages.length === 0) return 'the repository is empty'
  return tableText(
    [
      { title: 'PACKAGE' },
      { title: 'KIND' },
      { title: 'LATEST' },
      { title: 'VERSIONS', align: 'right' },
      { title: 'ARCH' },
      { title: 'SIZE', align: 'right' },
      { title: 'SUMMARY' },
    ],
    packages.map((each) => {
      const versions = textsOf(each['versions'])
      const bytes = numberOf(each['bytes'])
      return [
        textOf(each['name']) ?? '?',
        textOf(each['kind']) ?? '-',
        versions[0] ?? '-',
        String(versions.length),
        textsOf(each['archs']).join(' '),
        bytes === undefined ? '-' : bytesText(bytes),
        textOf(each['summary']) ?? '',
      ]
    }),
  )
}

/** Every version of one package. */
export function packageText(versions: readonly Fields[], now: Instant): string {
  return versions
    .map((version) => {
      const payload = fieldsOf(version['payload'])
      const installedSize = numberOf(version['installedSize'])
      const published = numberOf(version['published'])
      return factsText({
        package: textOf(version['name']),
        version: textOf(version['version']),
        kind: textOf(version['kind']),
        arch: textOf(version['arch']),
        summary: textOf(version['summary']),
        depends: textsOf(version['depends']).join(', '),
        payload: payloadText(payload),
        installed: installedSize === undefined ? undefined : bytesText(installedSize),
        published: published === undefined ? undefined : agoText(now - published),
        sha256: textOf(payload['sha256']),
        'info hash': textOf(payload['infoHash']),
        manifest: textOf(version['manifest']),
      })
    })
    .join('\n\n')
}

/** What `banyan publish` made. */
export function publishedText(published: Fields): string {
  const described = [textOf(published['kind']), textOf(published['arch']), payloadText(fieldsOf(published['payload']))]
  const what = `${textOf(published['name']) ?? '?'} ${textOf(published['version']) ?? '?'} (${described
    .filter((part) => part !== undefined)
    .join(', ')})`
  return published['outcome'] === 'already' ? `${what} was published before` : `published ${what}`
}

function payloadText(payload: Fields): string | undefined {
  const [size, pieceLength] = [numberOf(payload['size']), numberOf(payload['pieceLength'])]
  if (size === undefined) return undefined
  if (pieceLength === undefined) return bytesText(size)
  return `${bytesText(size)} in pieces of ${bytesText(pieceLength)}`
}
