// The rpm packages that the administrator of a machine holds, by dnf's versionlock or zypper's
// locks. Pure.

import type { PackageName } from '../../../model/names.ts'
import { nameInNevra } from './rpm-text.ts'

/** The files that list held packages, below the target root, and how each is read. */
export const holdFiles: Readonly<Record<string, (text: string) => string[]>> = {
  'etc/dnf/plugins/versionlock.list': heldByVersionlock,
  'etc/yum/pluginconf.d/versionlock.list': heldByVersionlock,
  'etc/dnf/versionlock.toml': (text) =>
    [...text.matchAll(/^\s*name\s*=\s*["']([^"']+)["']/gm)].map((match) => match[1] ?? ''),
  'etc/zypp/locks': heldByZypper,
}

/** Whether a name fits one of the patterns, which may have the wildcards of a shell. */
export function isHeldBy(patterns: readonly string[]): (name: PackageName) => boolean {
  const held = patterns.map((pattern) => {
    const source = pattern
      .replace(/[.+^${}()|\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.')
    try {
      return new RegExp(`^${source}$`)
    } catch {
      // A bracket that is not closed stands for itself.
      return new RegExp(`^${source.replace(/[[\]]/g, '\\$&')}$`)
    }
  })
  return (name) => held.some((one) => one.test(name))
}

/** `bash-0:5.1-1.fc40.*` holds a package; `!bash-…` only excludes a version. */
function heldByVersionlock(text: string): string[] {
  return linesOf(text)
    .filter((line) => !line.startsWith('!'))
    .map((line) => nameInNevra(line))
}

/** Paragraphs of `key: value` lines. Only locks of the type package hold one. */
function heldByZypper(text: string): string[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const lines = linesOf(paragraph)
    const valuesOf = (key: string) =>
      lines.flatMap((line) => (line.startsWith(`${key}:`) ? [line.slice(key.length + 1).trim()] : []))
    const [type = 'package'] = valuesOf('type')
    return type === 'package' ? valuesOf('solvable_name') : []
  })
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('#'))
}
