// What packages need of each other, by the words of their kinds. Pure.

import type { Manifest } from '../model/manifest.ts'
import type { PackageName } from '../model/names.ts'

/** What it needs of others, each by the name that one of them offers. Of alternatives all are named. */
export function neededBy(manifest: Manifest): string[] {
  switch (manifest.kind) {
    case 'deb':
      return manifest.depends.flatMap(dependencyNamesOf)
    case 'rpm':
      return manifest.depends.flatMap(capabilitiesIn)
    case 'tree':
      return []
  }
}

/** Its name, and what else it is good for to those that depend on it. */
export function offeredBy(manifest: Manifest): string[] {
  const provides = manifest.provides ?? []
  return [manifest.name, ...(manifest.kind === 'deb' ? provides.flatMap(dependencyNamesOf) : provides)]
}

/** The package names in one clause of Debian's `Depends`: `libjq1 (= 1.6) | jq-bin:any` names `libjq1` and `jq-bin`. */
export function dependencyNamesOf(clause: string): PackageName[] {
  return clause
    .split(/[|,]/)
    .map((alternative) => /^\s*([A-Za-z0-9][A-Za-z0-9+._-]*)/.exec(alternative)?.[1])
    .filter((name) => name !== undefined)
}

/** `base >= 1.0` names `base`; `(dnf or zypper)`, of rpm's rich dependencies, both; `libjq.so.1()(64bit)` itself. */
function capabilitiesIn(clause: string): string[] {
  if (!clause.startsWith('(')) return clause.split(' ', 1)
  const words = clause.split(/\s+/).map((word) => word.replace(/^\(+/, '').replace(/(?<!\()\)+$/, ''))
  return words.filter((word, index) => !isOperator(word) && !/^[<>=]+$/.test(words[index - 1] ?? ''))
}

function isOperator(word: string): boolean {
  return word === '' || /^[<>=]+$/.test(word) || ['and', 'or', 'if', 'else', 'with', 'without', 'unless'].includes(word)
}
