// What rpm has against a change that installs and removes. rpm can test only one of the two at a
// time, so a complaint about one that the other removes is no complaint.

import type { Relations } from '../../../model/manifest.ts'
import type { PackageName } from '../../../model/names.ts'
import { isMet, namesIn, type Offer, offersOf } from '../../../model/needs.ts'
import type { Change } from '../package-system.ts'
import type { RpmCall } from './rpm-front-end.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import { parseRpmRelations } from './rpm-relations.ts'
import { nameInNevra } from './rpm-text.ts'

/** What rpm says to the installations of a call, without what the removals put right. */
export async function complaintsAbout(programs: RpmPrograms, call: RpmCall, { removes }: Change): Promise<string> {
  const install = { ...call, removes: [] }
  const first = await programs.test(install)
  if (first.code === 0) return ''
  const isSettled = (line: string) => isSettledByRemoval(programs, line, removes)
  const text = await linesLeft(first.stdout + first.stderr, isSettled)
  if (text !== '' || removes.size === 0) return text
  // rpm looks for files that two packages have only once nothing else is in the way.
  const second = await programs.test(install, ['--nodeps'])
  return second.code === 0 ? '' : await linesLeft(second.stdout + second.stderr, isSettled)
}

async function linesLeft(text: string, isSettled: (line: string) => Promise<boolean>): Promise<string> {
  const left: string[] = []
  let hasSettled = false
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (await isSettled(line)) hasSettled = true
    else left.push(line)
  }
  const isTelling = (line: string) => line !== '' && !/^(rpm: |error: Failed dependencies:$)/.test(line)
  return hasSettled && !left.some(isTelling) ? '' : left.join('\n')
}

async function isSettledByRemoval(
  programs: RpmPrograms,
  line: string,
  removes: ReadonlySet<PackageName>,
): Promise<boolean> {
  const native = await programs.arch()
  const [, file] = /conflicts with file from package (\S+)$/.exec(line) ?? []
  if (file !== undefined) return removes.has(nameInNevra(file, native))
  const [, installed] = / (?:conflicts with|is needed by) \(installed\) (\S+)$/.exec(line) ?? []
  if (installed !== undefined) return removes.has(nameInNevra(installed, native))
  const [, clause] = /^(.+) conflicts with \S+$/.exec(line) ?? []
  if (clause === undefined || removes.size === 0) return false
  const there = parseRpmRelations(await programs.providing(namesIn('rpm', clause)), native)
  const meeting = there.filter((one) => offers(one, clause))
  return meeting.length > 0 && meeting.every(({ name }) => removes.has(name))
}

/**
 * The installed packages that would lack something once `removes` are gone, although the packages in
 * `files` have come.
 */
export async function leftWithout(
  programs: RpmPrograms,
  files: readonly string[],
  removes: readonly string[],
): Promise<PackageName[]> {
  if (removes.length === 0) return []
  const removal = { files: [], beside: [], removes, downgrades: false, reinstalls: false }
  const { stderr } = await programs.test(removal)
  const native = await programs.arch()
  const needs = [...stderr.matchAll(/^[^\S\n]*(\S.*) is needed by \(installed\) (\S+)$/gm)].map(
    ([, clause = '', nevra = '']) => ({ clause, name: nameInNevra(nevra, native) }),
  )
  if (needs.length === 0) return []
  const come = files.length === 0 ? [] : parseRpmRelations(await programs.relationsOfFiles(files))
  const paths = new Set(
    files.length > 0 && needs.some(({ clause }) => clause.startsWith('/')) ? await programs.pathsIn(files) : [],
  )
  const isBrought = (clause: string) => paths.has(clause) || come.some((one) => offers(one, clause))
  return needs.filter(({ clause }) => !isBrought(clause)).map(({ name }) => name)
}

function offers(one: Relations, clause: string): boolean {
  const offered = new Map<string, Offer[]>()
  for (const [name, offer] of offersOf(one)) offered.set(name, [...(offered.get(name) ?? []), offer])
  return isMet('rpm', clause, [offered])
}
