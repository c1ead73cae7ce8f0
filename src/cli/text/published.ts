// What one published path came to.

import { type Fields, fieldsOf, numberOf, textOf } from './fields.ts'
import { bytesText } from './units.ts'

export function publishedText(published: Fields): string {
  const manifest = { ...published, ...fieldsOf(published['manifestBody']), ...fieldsOf(published['body']) }
  const size = numberOf(fieldsOf(manifest['payload'])['size']) ?? numberOf(manifest['size'])
  const kind = [textOf(manifest['kind']), textOf(manifest['arch']), size === undefined ? undefined : bytesText(size)]
  const before = published['already'] === true || published['new'] === false ? ', which was there already' : ''
  return `published ${textOf(manifest['name']) ?? '?'} ${textOf(manifest['version']) ?? '?'} (${kind
    .filter((part) => part !== undefined)
    .join(', ')})${before}`
}
