// The limits are written in several files; together they are one object.

import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'

const folder = path.join(import.meta.dirname, '..', '..', 'src', 'model', 'limits')
const files = fs.readdirSync(folder).filter((file) => file.endsWith('.ts') && file !== 'multiples.ts')

t.test('no limit stands in two files, and none is left out', async (t) => {
  const names: string[] = []
  for (const file of files) {
    const exported: object = await import(path.join(folder, file))
    names.push(...Object.values(exported).flatMap((group) => Object.keys(group)))
  }
  t.same(names.sort(), Object.keys(limits).sort())
})

t.test('every limit has a sentence of its own', async (t) => {
  for (const file of files) {
    const lines = fs.readFileSync(path.join(folder, file), 'utf8').split('\n')
    for (const [index, line] of lines.entries()) {
      const name = /^ {2}(\w+): /.exec(line)?.[1]
      if (name !== undefined) t.match(lines[index - 1], /\*\/$/, `${file}: ${name}`)
    }
  }
})

t.test('every limit names its unit last', async (t) => {
  const units =
    /(Ms|S|Bytes|Chars|Max|Kept|Share|Aimed|BytesPerSecond|Nodes|Shown|Intervals|Doublings|Factor|AtOnce|PerMinute)$/
  // Their unit stands before what sets them apart.
  const others = ['objectBytesUnknown', 'wiresKeptForDials', 'attacksKeptOfOne', 'attacksKeptOfKind']
  t.same(
    Object.keys(limits).filter((name) => !units.test(name) && !others.includes(name)),
    [],
  )
})
