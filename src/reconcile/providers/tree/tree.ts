// Trees: a folder of files for each version below `opt/<name>`, and one link to the version in
// force.

import path from 'node:path'
import { Failure, messageOf } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import type { Outcome } from '../../../model/report.ts'
import type { Disk, Exec } from '../../../world/world.ts'
import { type Actual, unreadActual } from '../../actual.ts'
import {
  type ApplyContext,
  findingsText,
  type InspectOptions,
  isReached,
  outcomeOf,
  type Provider,
  type Step,
} from '../provider.ts'
import { barOfPlace, removeIfEmpty } from './tree-files.ts'
import { findingsOf, leftAloneInTree } from './tree-findings.ts'
import { installTree, type TreeInstalled } from './tree-install.ts'
import { folderOfLink, type TreePlace, treePlace, versionOfFolder } from './tree-layout.ts'
import { openTreeRecords } from './tree-record.ts'
import { removeTree } from './tree-remove.ts'

export interface TreeParts {
  targetRoot: string
  /** Where banyan keeps what it remembers; the default is `var/lib/banyan` below the target root. */
  home?: string
  exec: Pick<Exec, 'run'>
  disk: Disk
  hookTimeoutMs?: number
}

/** The provider of kind tree. It needs no program of the machine but the tree's own hooks. */
export function treeProvider(parts: TreeParts): Provider {
  const home = parts.home ?? path.join(parts.targetRoot, 'var/lib/banyan')
  const look = async (names: readonly PackageName[], { depth, ignored }: InspectOptions) => {
    const actual: Actual[] = []
    // Most names may be packages that are yet to come: one list of the folder answers for all of
    // them.
    const there = await foldersIn(parts.disk, path.join(parts.targetRoot, 'opt'))
    for (const name of names) {
      if (!there.has(name)) continue
      const one = await inspectedOr(name, () => inspectOne(parts, name, { depth, ignored }))
      if (one !== undefined) actual.push(one)
    }
    return actual
  }
  const ensureOne = async (step: Step, context: ApplyContext): Promise<Outcome> => {
    const { action } = step
    const place = treePlace(parts.targetRoot, action.name)
    const ignored = new Map([[action.name, action.ignore ?? []]])
    const depth = action.what === 'reinstall' ? 'full' : 'quick'
    const before = await inspectOne(parts, action.name, { depth, ignored })
    const isOther = action.source !== null && before !== undefined && before.payload !== action.source.payload
    if (isReached(action, before) && !isOther) return outcomeOf({ action, before, after: before, acted: false })
    const { problem, note } = await change(parts, { home, place }, step, context)
    if (problem !== undefined) await removeEmpty(place)
    const after = await inspectOne(parts, action.name, { depth: 'quick', ignored })
    return outcomeOf({ action, before, after, acted: true, problem, note })
  }
  return {
    kind: 'tree',
    inspect: look,
    paths: async (of) => ('payload' in of ? [] : await pathsOf(parts, of.name)),
    async ensure(steps, context) {
      const outcomes: Outcome[] = []
      for (const step of steps) outcomes.push(await ensureOne(step, context))
      return outcomes
    },
  }
}

/** Of the version in force, as far as its record can be read. */
async function pathsOf({ targetRoot, disk }: TreeParts, name: PackageName): Promise<string[]> {
  const place = treePlace(targetRoot, name)
  const records = openTreeRecords(disk, place.records)
  const folder = folderOfLink(await disk.readLink(place.current))
  if (folder === undefined || (await records.header(folder)) === undefined) return []
  const shown = treePlace('/', name)
  const paths = [shown.base, shown.current, shown.versions, shown.folder(folder)]
  try {
    for await (const entry of records.entries(folder)) paths.push(path.join(shown.folder(folder), entry.path))
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'bad-input')) throw error
  }
  return paths
}

/** A tree whose files the disk cannot read is unread, and the others are looked at. */
async function inspectedOr(
  name: PackageName,
  inspected: () => Promise<Actual | undefined>,
): Promise<Actual | undefined> {
  try {
    return await inspected()
  } catch (error) {
    if (!(error instanceof Failure) && !isDiskTrouble(error)) throw error
    return unreadActual({ name, kind: 'tree' }, messageOf(error))
  }
}

/** Installs or removes. Trouble with the disk ends the step of one package, and the others go on. */
async function change(
  parts: TreeParts,
  where: { home: string; place: TreePlace },
  { action, manifest }: Step,
  context: ApplyContext,
): Promise<TreeInstalled> {
  const { source, ignore = [], hookTimeoutMs } = action
  const timeoutMs = parts.hookTimeoutMs ?? limits.hookTimeoutMs
  const own = { ...parts, ...where, timeoutMs, ruleTimeoutMs: hookTimeoutMs }
  try {
    if (source === null || manifest === null) return { problem: await removeTree(own, action.name, context) }
    return await installTree(own, { source, manifest, ignore }, context)
  } catch (error) {
    if (!(error instanceof Failure) && !isDiskTrouble(error)) throw error
    return { problem: messageOf(error) }
  }
}

/** Of folders that are not ours alone, nothing is removed: one may be a link to somebody else's. */
async function removeEmpty(place: TreePlace): Promise<void> {
  if ((await barOfPlace(place)) !== undefined) return
  for (const dir of [place.versions, place.records, place.base]) await removeIfEmpty(dir)
}

async function foldersIn(disk: Pick<Disk, 'list' | 'stat'>, folder: string): Promise<ReadonlySet<string>> {
  return new Set((await disk.stat(folder)) === undefined ? [] : await disk.list(folder))
}

/**
 * Undefined without a record of ours: an `/opt/<name>` that somebody else made is not our concern.
 */
async function inspectOne(
  { targetRoot, disk }: Pick<TreeParts, 'targetRoot' | 'disk'>,
  name: PackageName,
  { depth, ignored }: Pick<InspectOptions, 'depth'> & { ignored: InspectOptions['ignored'] | undefined },
): Promise<Actual | undefined> {
  const place = treePlace(targetRoot, name)
  const records = openTreeRecords(disk, place.records)
  const folders = await records.list()
  if (folders.length === 0) return undefined
  const installed = { name, kind: 'tree' as const, held: false }
  const target = await disk.readLink(place.current)
  const folder = folderOfLink(target)
  if (folder === undefined || !folders.includes(folder)) {
    const headers = await Promise.all(folders.map((one) => records.header(one)))
    const known =
      headers.find((header) => header?.state === 'installed') ?? headers.find((header) => header !== undefined)
    const version = known?.version ?? versionOfFolder(folders[0] as string)
    const found = target === undefined ? 'the link current is missing' : `the link current points to ${target}`
    return { ...installed, version, state: 'broken', found, payload: null }
  }
  const version = versionOfFolder(folder)
  const header = await records.header(folder)
  if (header === undefined) {
    return { ...installed, version, state: 'broken', found: `the record of ${version} is damaged`, payload: null }
  }
  if (header.state !== 'installed') {
    const doing = header.state === 'removing' ? 'removal' : 'installation'
    return {
      ...installed,
      version,
      state: 'broken',
      found: `the ${doing} of ${version} was interrupted`,
      payload: null,
    }
  }
  const { payload } = header
  try {
    const findings = await findingsOf(path.join(place.versions, folder), records.entries(folder), depth)
    const whyLeft = leftAloneInTree({ name, version }, ignored)
    const left = findings.flatMap((finding) => {
      const why = whyLeft(finding)
      return why === undefined ? [] : [`${finding.text} (${why})`]
    })
    const drift = findings.filter((finding) => whyLeft(finding) === undefined).map(({ text }) => text)
    const told = left.length === 0 ? {} : { left: findingsText(left) }
    if (drift.length === 0) return { ...installed, version, state: 'whole', found: '', payload, ...told }
    return { ...installed, version, state: 'drifted', found: findingsText(drift), payload, ...told }
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'bad-input')) throw error
    return { ...installed, version, state: 'broken', found: `the record of ${version} is damaged`, payload }
  }
}

/**
 * Whether it is an error of the file system. It ends the step of one package, and the others go on.
 */
function isDiskTrouble(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error
}
