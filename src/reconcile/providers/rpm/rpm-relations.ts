// What rpm packages say of others, installed ones and package files. Pure.

import type { Relations } from '../../../model/manifest.ts'
import { nameOnMachine, rpmVersionOf } from '../../../model/rpm.ts'

const kinds = ['REQUIRE', 'PROVIDE', 'CONFLICT', 'OBSOLETE'] as const

/** Some lines for each package, for `parseRpmRelations`. */
export const rpmRelationsFormat = [
  'package\\t%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\n',
  ...kinds.map((kind) => `[${kind}\\t%{${kind}NAME}\\t%{${kind}FLAGS:depflags}\\t%{${kind}VERSION}\\n]`),
].join('')

/**
 * Reads what `rpm -q --qf rpmRelationsFormat` prints. Other lines say that a package is not
 * installed. Names are those of a machine of the architecture `native`, and without it as published.
 */
export function parseRpmRelations(text: string, native?: string): Relations[] {
  const found: (Relations & { lists: Record<string, string[]> })[] = []
  for (const line of text.split('\n')) {
    const [word, name, second, third, fourth, arch] = line.split('\t')
    if (name === undefined || second === undefined || third === undefined) continue
    if (word === 'package') {
      const version = rpmVersionOf(second, third, fourth ?? '')
      found.push({ kind: 'rpm', name: nameOnMachine(name, arch ?? '', native), version, depends: [], lists: {} })
      continue
    }
    const lists = found.at(-1)?.lists
    if (word === undefined || lists === undefined || name === '(none)' || name.startsWith('rpmlib(')) continue
    const sign = second.trim()
    const clause = sign === '' || third === '' ? name : `${name} ${sign} ${third}`
    lists[word] = [...(lists[word] ?? []), clause]
  }
  return found.map(({ lists, ...own }) => {
    const listOf = (kind: (typeof kinds)[number]) => [...new Set(lists[kind] ?? [])]
    return {
      ...{ ...own, depends: listOf('REQUIRE'), provides: listOf('PROVIDE') },
      ...{ conflicts: listOf('CONFLICT'), replaces: listOf('OBSOLETE') },
    }
  })
}
