// The packages that the administrator keeps off a machine, or at a version, by pins of apt
// (apt_preferences(5)). apt itself does not ask its pins about a package file that it is given. The
// parser is pure.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import { globOf } from '../../../model/units/globs.ts'
import type { Actual } from '../../actual.ts'
import type { DebTools } from './deb-tools.ts'

/** What a pin means for a package, whatever source a version of it comes from. */
export type Pinned = Required<Pick<Actual, 'bar' | 'lift'>>

/** Reads the pins of the machine. */
export async function debPins({ disk, targetRoot }: Pick<DebTools, 'disk' | 'targetRoot'>) {
  const folder = path.join(targetRoot, 'etc/apt/preferences.d')
  const names = (await disk.stat(folder)) === undefined ? [] : await disk.list(folder)
  // apt reads no others.
  const read = names.filter((name) => /^[A-Za-z0-9_-]+(\.pref)?$/.test(name)).map((name) => path.join(folder, name))
  const files = new Map<string, string>()
  for (const file of [path.join(targetRoot, 'etc/apt/preferences'), ...read]) {
    if ((await disk.stat(file))?.kind !== 'file') continue
    files.set(file, new TextDecoder().decode(await disk.read(file, { maxBytes: limits.settingsMaxBytes })))
  }
  return pinsIn(files)
}

/**
 * What the pins in these files, by path, say about a package. The first pin that names it decides.
 * A pin below 0 bars versions, and one from 1000 on bars all other versions. Pins of releases and
 * origins speak of sources, and a package of the fleet comes from none; `release a=*` and the like
 * mean all versions. A pin of all packages (`*`) only sets a tone and bars nothing.
 */
export function pinsIn(files: ReadonlyMap<string, string>): (name: PackageName) => Pinned | undefined {
  const pins = [...files].flatMap(([file, text]) => text.split(/\n\s*\n/).flatMap((part) => pinIn(file, part)))
  return (name) => pins.find(({ isOf }) => isOf(name))?.pinned
}

interface Pin {
  isOf(name: PackageName): boolean
  pinned: Pinned
}

function pinIn(file: string, text: string): Pin[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'))
  const fieldOf = (name: string) => {
    const value = lines.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    return value?.slice(name.length + 1).trim() ?? ''
  }
  const names = fieldOf('Package').split(/\s+/)
  const priority = Number.parseInt(fieldOf('Pin-Priority'), 10)
  const versions = versionsOf(fieldOf('Pin'))
  if (versions === undefined || names.includes('*') || !(priority < 0 || priority >= 1000)) return []
  if (priority > 0 && versions === '*') return []
  const bar = { versions, except: priority > 0 }
  const lift = `take the pin of ${names.join(' ')} at ${priority} out of ${file}`
  const tests = names.filter((name) => name !== '').map(nameTest)
  return [{ isOf: (name) => tests.some((test) => test(name)), pinned: { bar, lift } }]
}

/** The pattern of the versions that a pin is about. Undefined if it is about sources. */
function versionsOf(pin: string): string | undefined {
  const [, kind, rest = ''] = /^(version|release|origin)\s+(.*)$/.exec(pin) ?? []
  const value = rest.replace(/^"(.*)"$/, '$1')
  if (kind === 'version') return value
  const parts = value.split(',').map((part) => part.trim().replace(/^[a-z]=/, ''))
  return kind !== undefined && parts.every((part) => part === '*') ? '*' : undefined
}

/** A name, a pattern as in a shell, or `/a regular expression/`. `name:arch` is read as the name. */
function nameTest(pattern: string): (name: PackageName) => boolean {
  const expression = /^\/(.*)\/$/.exec(pattern)?.[1]
  try {
    if (expression === undefined) return globOf(pattern.replace(/:[a-z0-9-]+$/, ''))
    const test = new RegExp(expression)
    return (name) => test.test(name)
  } catch (error) {
    // What nobody can read names no package.
    if (error instanceof Failure || error instanceof SyntaxError) return () => false
    throw error
  }
}
