// rpm packages: whole files, no repository, and nothing but what the plan names.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { PackageName } from '../../../model/names.ts'
import { archOfRpm } from '../../../model/rpm.ts'
import { compareVersions } from '../../../model/versions.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change, PackageSystem, TransactionResult } from '../package-system.ts'
import { type ApplyContext, findingsText, type Provider } from '../provider.ts'
import type { RpmCall, RpmFrontEnd, RpmProgramParts, RpmPrograms } from './rpm-programs.ts'
import {
  lastBegun,
  nameInNevra,
  type Obsoleted,
  parseConfigNotes,
  parseObsoletes,
  parseRpmComplaints,
  parseRpmQuery,
  type RpmEntry,
} from './rpm-text.ts'

export interface RpmSystemParts extends Pick<RpmProgramParts, 'disk'> {
  frontEnd: RpmFrontEnd
  programs: RpmPrograms
  inspect: Provider['inspect']
}

export function rpmSystem({ frontEnd, disk, programs, inspect }: RpmSystemParts): PackageSystem {
  async function transact(asked: Change, context: ApplyContext): Promise<TransactionResult> {
    const change = { ...asked, reinstalls: asked.reinstalls || (await isInTwo([...asked.installs.keys()])) }
    const call = await callOf(change, context)
    const beyond = await beyondOf(change)
    if (beyond.length > 0) {
      const because = () => `rpm would also ${findingsText(beyond)}, which is not in the plan`
      return { kind: 'refused', unmet: new Set(), because }
    }
    // What is there already in that version, or half, only rpm itself puts there again, and then all of it.
    const front = change.reinstalls ? 'rpm' : frontEnd
    const refusal = await refusalOf(call)
    if (refusal !== undefined) {
      const text = refusal.stdout + refusal.stderr
      context.output(text)
      const { unmet, about } = parseRpmComplaints(text, change)
      return { kind: 'refused', unmet, because: (name) => about(name) || 'rpm refused it without a word' }
    }
    const configs = new Map<PackageName, string[]>()
    for (const name of change.removes) configs.set(name, (await programs.configFiles(name)).split('\n'))
    const words = [...change.installs.keys(), ...[...change.removes].map((name) => `-${name}`)]
    await context.journal(`${front}: ${words.join(' ')}`)
    const result = await programs.run(front, call, context.workFolder, (line) => context.output(line))
    const text = `${result.stdout}\n${result.stderr}`
    context.output(text)
    return await triedOf(change, result, text, configs)
  }

  async function triedOf(
    change: Change,
    result: RunResult,
    text: string,
    configs: ReadonlyMap<PackageName, readonly string[]>,
  ): Promise<TransactionResult> {
    const { culprits, unmet, late, about } = parseRpmComplaints(text, change)
    const ended = result.timedOut && culprits.size === 0 ? lastBegun(text) : undefined
    if (ended !== undefined) culprits.add(ended)
    const tooLong = result.timedOut ? 'took too long and was ended' : ''
    // dnf and zypper solve by themselves, and say what lacks something only now.
    for (const name of unmet) culprits.add(name)
    return {
      kind: 'ran',
      failed: result.code !== 0,
      timedOut: result.timedOut,
      culprits,
      complaint: (name) => [tooLong, about(name)].filter((part) => part !== '').join('; '),
      notes: await notesOf(text, late, configs),
    }
  }

  /** Package files go by names that end in `.rpm`; payloads are named by their digest. */
  async function callOf(
    { installs, removes, downgrades, reinstalls }: Change,
    { workFolder }: ApplyContext,
  ): Promise<RpmCall> {
    const folder = path.join(workFolder, 'rpm')
    await disk.makeFolder(folder, { mode: 0o700 })
    const files: string[] = []
    for (const [name, payload] of installs) {
      const file = path.join(folder, `${name}-${path.basename(payload).slice(0, 8)}.rpm`)
      await disk.pointLink(file, payload)
      files.push(file)
    }
    return { files, removes: [...removes], downgrades, reinstalls }
  }

  /** Whether one of them is there twice: one of the two is, or will be, what is wanted. */
  async function isInTwo(names: readonly PackageName[]): Promise<boolean> {
    if (names.length === 0) return false
    const there = parseRpmQuery(await programs.query(names)).map(({ name, arch }) => `${name}.${arch}`)
    return new Set(there).size < there.length
  }

  /** What others would lose, and what a new package calls obsolete: rpm takes that away without a word. */
  async function beyondOf({ installs, removes }: Change): Promise<string[]> {
    const gone = new Set<PackageName>()
    for (const payload of installs.values()) {
      const obsoletes = parseObsoletes(await programs.file(payload))
      const there = obsoletes.length === 0 ? [] : parseRpmQuery(await programs.query(obsoletes.map(({ name }) => name)))
      for (const one of there) if (obsoletes.some((obsoleted) => isObsolete(one, obsoleted))) gone.add(one.name)
    }
    if (removes.size > 0) {
      const { stderr } = await programs.test({ files: [], removes: [...removes], downgrades: false, reinstalls: false })
      for (const [, nevra = ''] of stderr.matchAll(/ is needed by \(installed\) (\S+)/g)) gone.add(nameInNevra(nevra))
    }
    return [...gone].filter((name) => !removes.has(name) && !installs.has(name)).map((name) => `remove ${name}`)
  }

  /** rpm's word on it. Where something goes in the same transaction, the front end alone can tell; it looks first too. */
  async function refusalOf(call: RpmCall): Promise<RunResult | undefined> {
    if (call.files.length === 0 || call.removes.length > 0) return undefined
    const result = await programs.test(call)
    return result.code === 0 ? undefined : result
  }

  async function notesOf(
    text: string,
    late: ReadonlyMap<PackageName, string>,
    configs: ReadonlyMap<PackageName, readonly string[]>,
  ): Promise<Map<PackageName, string>> {
    const found = new Map<PackageName, string[]>([...late].map(([name, line]) => [name, [line]]))
    for (const { path: file, beside, isSaved } of parseConfigNotes(text)) {
      const removed = [...configs].find(([, files]) => files.includes(file))?.[0]
      const name = removed ?? (await programs.owners([file])).trim().split('\n')[0] ?? ''
      const note = isSaved
        ? `saved changed ${file} as ${beside}`
        : `kept changed ${file}; the package's own is ${beside}`
      found.set(name, [...(found.get(name) ?? []), note])
    }
    return new Map([...found].map(([name, notes]) => [name, findingsText(notes)]))
  }

  return {
    inspect,
    transact,
    // rpm ends what it began by the next transaction: there is nothing to be repaired first.
    prepare: async () => {},
    tidy: async () => {},
    leavesDependents: true,

    async problemOf(manifest, payload) {
      let text: string
      try {
        text = await programs.file(payload)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        return error.message
      }
      const entry = parseRpmQuery(text)[0]
      const said = `${entry?.name} ${entry?.version} ${archOfRpm(entry?.arch ?? '') ?? entry?.arch}`
      const meant = `${manifest.name} ${manifest.version} ${manifest.arch}`
      return said === meant ? undefined : `the package file is ${said}, its manifest says ${meant}`
    },

    async isOther({ action }) {
      if (action.what !== 'reinstall' || action.cause !== 'pending' || action.source === null) return false
      const meant = parseRpmQuery(await programs.file(action.source.path))[0]
      const there = parseRpmQuery(await programs.query([action.name])).filter(({ version }) => version === action.to)
      return there.every(({ build }) => build !== meant?.build)
    },

    finish: ({ workFolder }) => disk.remove(path.join(workFolder, 'rpm')),
  }
}

function isObsolete(there: RpmEntry, { name, sign, version }: Obsoleted): boolean {
  if (there.name !== name) return false
  if (sign === '' || version === '') return true
  // Without a release, the release does not count.
  const own = version.includes('-') ? there.version : there.version.replace(/-[^-]+$/, '')
  const order = compareVersions('rpm', own, version)
  return (order < 0 && sign.includes('<')) || (order > 0 && sign.includes('>')) || (order === 0 && sign.includes('='))
}
