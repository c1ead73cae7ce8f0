// rpm packages: which are installed according to rpm's database, and whether their files are still
// as they came.

import path from 'node:path'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import { compareVersions } from '../../../model/versions.ts'
import type { Actual } from '../../actual.ts'
import { findingsText, type InspectOptions, type Provider, refusedOutcome } from '../provider.ts'
import { ensureTogether } from '../transaction.ts'
import { holdFiles, isHeldBy } from './rpm-holds.ts'
import { type RpmProgramParts, type RpmPrograms, rpmProgramsFor } from './rpm-programs.ts'
import { parseRpmRelations } from './rpm-relations.ts'
import { rpmSystemFor } from './rpm-system.ts'
import { parseRpmQuery, parseRpmVerify, type RpmEntry } from './rpm-text.ts'

/**
 * The provider of kind rpm. Throws `bad-input` for a target root that is not a plain absolute path.
 */
export function rpmProvider(parts: RpmProgramParts): Provider {
  const programs = rpmProgramsFor(parts)
  const look: Provider['inspect'] = (names, look) => inspect(parts, programs, names, look)
  return {
    kind: 'rpm',
    inspect: look,
    relations: async (names) => {
      if (names.length === 0 || (await programs.frontEnd()) === undefined || !(await programs.hasDatabase())) return []
      return parseRpmRelations(await programs.relations(names))
    },
    async ensure(steps, context) {
      const frontEnd = await programs.frontEnd()
      if (frontEnd === undefined) {
        const problem = 'there is no rpm here: name other packages for machines without it, or install the package rpm'
        return steps.map(({ action }) => refusedOutcome(action, problem))
      }
      return await ensureTogether(rpmSystemFor({ ...parts, frontEnd, programs, inspect: look }), parts, steps, context)
    },
  }
}

async function inspect(
  { targetRoot, disk }: Pick<RpmProgramParts, 'targetRoot' | 'disk'>,
  programs: RpmPrograms,
  names: readonly PackageName[],
  look: InspectOptions,
): Promise<Actual[]> {
  if (names.length === 0 || (await programs.frontEnd()) === undefined || !(await programs.hasDatabase())) return []
  const wanted = new Set(names)
  // rpm also reads `shop-2.0` as version 2.0 of shop.
  const entries = parseRpmQuery(await programs.query(names)).filter((entry) => wanted.has(entry.name))
  const isHeld = isHeldBy(await heldPatterns({ targetRoot, disk }))
  const groups = [...Map.groupBy(entries, (entry) => entry.name).values()]
  const native = groups.some((group) => group.length > 1) ? await programs.arch() : ''
  const actual = groups.map((sameName) => actualOf(sameName, native, isHeld))
  const checked = actual.filter(({ name, state }) => look.owned.has(name) && state === 'whole').map(({ name }) => name)
  const drifted = await driftOf(programs, checked, look.depth)
  return actual.map((one) => {
    const findings = drifted.get(one.name)
    return findings === undefined ? one : { ...one, state: 'drifted', found: findingsText(findings) }
  })
}

function actualOf(sameName: readonly RpmEntry[], native: string, isHeld: (name: PackageName) => boolean): Actual {
  // A package of the same name for a foreign architecture (multilib) is not looked at.
  const ours = sameName.filter(({ arch }) => arch === native || arch === 'noarch')
  const versions = [...(ours.length > 0 ? ours : sameName)]
    .map(({ version }) => version)
    .sort((a, b) => compareVersions('rpm', b, a))
  const name = sameName[0]?.name ?? ''
  const version = versions[0] ?? ''
  const installed = { name, kind: 'rpm' as const, version, held: isHeld(name), payload: null }
  if (versions.length === 1) return { ...installed, state: 'whole', found: '' }
  // rpm takes the old version away last.
  const found = `${versions.join(' and ')} are both installed: a transaction was interrupted`
  return { ...installed, state: 'broken', found, interrupted: true }
}

async function heldPatterns({ targetRoot, disk }: Pick<RpmProgramParts, 'targetRoot' | 'disk'>): Promise<string[]> {
  const patterns: string[] = []
  for (const [name, read] of Object.entries(holdFiles)) {
    const file = path.join(targetRoot, name)
    if ((await disk.stat(file))?.kind !== 'file') continue
    patterns.push(...read(new TextDecoder().decode(await disk.read(file, { maxBytes: limits.settingsMaxBytes }))))
  }
  return patterns
}

/**
 * rpm does not say which package a changed file belongs to. It is asked once for all packages, and
 * one by one if any changed.
 */
async function driftOf(
  programs: RpmPrograms,
  names: readonly PackageName[],
  depth: InspectOptions['depth'],
): Promise<Map<PackageName, string[]>> {
  const drifted = new Map<PackageName, string[]>()
  if (names.length === 0) return drifted
  const all = parseRpmVerify(await programs.verify(names, depth))
  if (all.findings.length === 0 && (!all.isTouched || depth === 'full')) return drifted
  for (const name of names) {
    // A file of which only the time has changed is read even in a quick look: it may have other
    // content of the same size.
    const quick = parseRpmVerify(await programs.verify([name], depth))
    const { findings } =
      quick.isTouched && depth === 'quick' ? parseRpmVerify(await programs.verify([name], 'full')) : quick
    if (findings.length === 0) continue
    drifted.set(
      name,
      findings.map(({ path: file, changed }) => `${changed === undefined ? 'missing' : 'changed'} ${file}`),
    )
  }
  return drifted
}
