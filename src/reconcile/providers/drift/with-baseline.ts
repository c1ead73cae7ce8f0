// Around each transaction of a package manager: puts aside what a heal would replace, gives back what
// is to be left alone, and records what the packages' own scripts made of their files.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { Kind } from '../../../model/manifest.ts'
import type { PackageName } from '../../../model/names.ts'
import type { Change, PackageSystem, Ran, TransactionResult } from '../package-system.ts'
import type { Step } from '../provider.ts'
import { type Aside, giveBack, putAside } from './aside.ts'
import type { Baseline } from './baselines.ts'
import { byPackage, type DriftParts } from './drift.ts'
import { type FileState, fileStateOf, isStill, lstatOf } from './file-state.ts'
import type { Finding } from './left-alone.ts'

export interface BaselineParts extends DriftParts {
  home: string
  kind: Kind
}

/** `steps` are those that the package system is about to be used for. */
export function withBaseline(system: PackageSystem, parts: BaselineParts, steps: readonly Step[]): PackageSystem {
  const reinstalled = new Map(
    steps.filter(({ action }) => action.what === 'reinstall').map(({ action }) => [action.name, action.ignore ?? []]),
  )
  return {
    ...system,
    async transact(change, context) {
      const names = [...change.installs.keys()]
      const again = names.filter((name) => reinstalled.has(name))
      const aside: Aside[] = []
      try {
        const findings = await findingsBefore(parts, change, again)
        for (const [name, own] of findings) aside.push(await putAside(parts, name, own, reinstalled))
      } catch (error) {
        for (const { replaced } of aside) await replaced.discard()
        if (!(error instanceof Failure)) throw error
        aside.length = 0
        // What is half-way now has to go back, also where it can no longer be looked at.
        if (!change.isBack) return { kind: 'refused', unmet: new Set(again), because: () => error.message }
      }
      const since = await momentIn(context.workFolder)
      let result: TransactionResult
      try {
        result = await system.transact(change, context)
      } catch (error) {
        for (const one of aside) await giveBack(parts.targetRoot, one)
        throw error
      }
      if (result.kind === 'ran') await parts.baselines.noteSpan({ since, until: await momentIn(context.workFolder) })
      return await settled(parts, change, { aside, since }, result)
    },
  }
}

/**
 * What differs in the packages that are put there again. Where nobody can say, everything that the
 * package file holds may be replaced unseen.
 */
async function findingsBefore(
  { files }: BaselineParts,
  { installs }: Change,
  again: readonly PackageName[],
): Promise<Map<PackageName, Finding[]>> {
  if (again.length === 0) return new Map()
  const { findings, unread } = await files.verify(again, 'full')
  const blind = new Set([...unread.keys(), ...((await files.lost?.(again)) ?? [])])
  const found = await byPackage(files, again, findings, 'full')
  for (const name of blind) {
    const paths = await files.pathsIn(installs.get(name) as string)
    found.set(
      name,
      paths.map((path) => ({ path, what: 'changed' })),
    )
  }
  return found
}

/** Now, as the kernel dates changes of files, in milliseconds. */
async function momentIn(folder: string): Promise<number> {
  await fs.mkdir(folder, { recursive: true })
  const file = path.join(folder, 'begun')
  await fs.writeFile(file, '')
  const { ctimeMs } = await fs.stat(file)
  await fs.rm(file)
  return ctimeMs
}

async function byName(parts: BaselineParts, names: readonly PackageName[]): Promise<Map<PackageName, Finding[]>> {
  if (names.length === 0) return new Map()
  return await byPackage(parts.files, names, (await parts.files.verify(names, 'full')).findings, 'full')
}

async function settled(
  parts: BaselineParts,
  change: Change,
  { aside, since }: { aside: readonly Aside[]; since: number },
  result: TransactionResult,
): Promise<TransactionResult> {
  if (result.kind === 'refused') {
    for (const { replaced } of aside) await replaced.discard()
    return result
  }
  const notes = new Map(result.notes)
  for (const one of aside) {
    const said = [notes.get(one.name), ...(await giveBack(parts.targetRoot, one))].filter((part) => part !== undefined)
    if (said.length > 0) notes.set(one.name, said.join('; '))
  }
  const asides = new Map(aside.map((one) => [one.name, one]))
  await recordBaselines(parts, change, { since, asides, isSure: !result.failed && !change.isBack })
  return { ...result, notes } satisfies Ran
}

async function recordBaselines(
  parts: BaselineParts,
  { installs, removes }: Change,
  { since, asides, isSure }: { since: number; asides: ReadonlyMap<PackageName, Aside>; isSure: boolean },
): Promise<void> {
  for (const name of removes) await parts.baselines.remove(name)
  const names = [...installs.keys()]
  const found = await byName(parts, names)
  const had = await parts.baselines.of(names)
  for (const name of names) {
    const baseline = await baselineOf(parts.targetRoot, found.get(name) ?? [], {
      ...{ since, isSure, aside: asides.get(name), former: had.get(name) },
    })
    if (baseline.size > 0) await parts.baselines.write(name, baseline)
    else if (had.has(name)) await parts.baselines.remove(name)
  }
}

/**
 * A file that the transaction did not touch was not made so by a script: it is as wrong as before.
 * What is left alone is no part of it either, unless it was before. A file that is missing was
 * removed by a script only if it was there before, and if the transaction ended well.
 */
async function baselineOf(
  targetRoot: string,
  findings: readonly Finding[],
  {
    since,
    isSure,
    aside,
    former,
  }: { since: number; isSure: boolean; aside: Aside | undefined; former: Baseline | undefined },
): Promise<Baseline> {
  const baseline = new Map<string, FileState>()
  for (const { path: shown } of findings) {
    const full = path.join(targetRoot, shown)
    const now = await lstatOf(full)
    const isOurs = now === undefined ? isSure && !aside?.missing.has(shown) : now.ctimeMs >= since
    if (!isOurs || aside?.left.has(shown)) {
      const was = former?.get(shown)
      if (was !== undefined && (await isStill(full, was, 'full'))) baseline.set(shown, was)
    } else baseline.set(shown, await fileStateOf(full))
  }
  return baseline
}
