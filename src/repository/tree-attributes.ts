// Modes and owners of a folder's entries: which of them are carried, and which files are refused
// because of what cannot be carried.

import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { globOf, globSchema } from '../model/units/globs.ts'
import type { Exec } from '../world/world.ts'
import type { TarEntry } from './tar.ts'

/** What useradd(8) and groupadd(8) take. */
const accountSchema = v.pipe(
  v.string(),
  v.regex(/^[a-z_][a-z0-9_-]{0,30}$/, 'expected the name of a user or group, e.g. www-data'),
)

/** One entry of `files:` in banyan.yaml. Later ones win, key by key. */
export const describedFileSchema = v.strictObject({
  path: v.pipe(
    globSchema,
    v.check((glob) => !glob.startsWith('/') && !glob.split('/').includes('..'), 'expected a path inside the folder'),
  ),
  mode: v.exactOptional(v.pipe(v.string(), v.regex(/^0?[0-7]{3}$/, "expected a mode such as '0640'"))),
  owner: v.exactOptional(accountSchema),
  group: v.exactOptional(accountSchema),
})
export type DescribedFile = v.InferOutput<typeof describedFileSchema>

/** An entry with the mode that it has on the publisher's disk. */
export type FoundEntry = TarEntry & { found: number }

/**
 * The mode that a file or folder has on nodes. Whoever chooses a mode chooses it for some of the
 * files; an umask has the same effect on all of them, and is not carried. So where no file has
 * anything for the group or for others, they get what the owner has but writing; and where all files
 * can be written by them, they lose that. `witnesses` are modes that count as evidence alone.
 */
export function carriedModeIn(
  entries: readonly FoundEntry[],
  witnesses: readonly number[],
): { modeOf(mode: number): number; isUmask: boolean } {
  // `chmod 755` is written down in many a build, whatever its umask.
  const isTelling = (entry: FoundEntry) => entry.kind === 'folder' || (entry.kind === 'file' && !entry.executable)
  const modes = [...entries.filter(isTelling).map(({ found }) => found), ...witnesses]
  const written = modes.filter((mode) => (mode & 0o200) !== 0)
  const classes = [3, 0].map((shift) => ({
    shift,
    isShut: modes.every((mode) => ((mode >> shift) & 7) === 0),
    isOpen: written.length > 0 && written.every((mode) => ((mode >> shift) & 2) !== 0),
  }))
  return {
    isUmask: classes.some(({ isShut }) => isShut),
    modeOf: (mode) =>
      classes.reduce((sum, { shift, isShut, isOpen }) => {
        const own = (mode >> shift) & (isOpen ? 5 : 7)
        return sum | ((isShut ? (mode >> 6) & 5 : own) << shift)
      }, mode & 0o700),
  }
}

/** The entries as they are packed, and what a person should know. */
export async function withAttributes(
  folder: string,
  entries: readonly FoundEntry[],
  { files, description }: { files: readonly DescribedFile[]; description: string },
): Promise<{ entries: TarEntry[]; warnings: string[] }> {
  const witnesses: number[] = []
  for (const witness of [folder, join(folder, description)]) {
    const mode = await lstat(witness).then(
      (stat) => [stat.mode],
      () => [],
    )
    witnesses.push(...mode)
  }
  const { modeOf, isUmask } = carriedModeIn(entries, witnesses)
  const rules = files.map(({ path, ...given }) => ({ fits: globOf(path), given }))
  const packed = entries.map(({ found, ...entry }): TarEntry => {
    if (entry.kind === 'link') return entry
    const given = Object.assign({}, ...rules.filter(({ fits }) => fits(entry.path)).map((rule) => rule.given))
    const mode = given.mode === undefined ? modeOf(found) : parseInt(given.mode, 8)
    if (entry.kind === 'folder' && (mode & 0o002) !== 0) throw writableByAll(join(folder, entry.path))
    const { owner, group } = given
    return { ...entry, mode, ...(owner !== undefined && { owner }), ...(group !== undefined && { group }) }
  })
  const shut = 'nothing in it is for the group or for others: taken for the umask, and published as readable'
  const special = entries.filter((entry) => entry.kind === 'folder' && (entry.found & 0o7000) !== 0)
  const warnings = [
    ...(isUmask ? [`${folder}: ${shut} (files: in banyan.yaml sets modes)`] : []),
    ...special.slice(0, 1).map(({ path }) => {
      const more = special.length === 1 ? '' : ` and ${special.length - 1} more`
      return `${join(folder, path)}${more}: the set-group-id and sticky bits of folders are not carried`
    }),
  ]
  return { entries: packed, warnings }
}

function writableByAll(place: string): Failure {
  return new Failure('bad-input', `${place}: a folder that anybody can write to, so nodes would not heal it`, {
    hint: `chmod o-w ${place}, and give it an owner under files: in banyan.yaml`,
  })
}

/**
 * Throws `bad-input` for the first file with capabilities, an ACL or extended attributes: they would
 * be lost. Asks GNU tar, which every distribution has; without it, a warning is returned.
 */
export async function refuseLost(
  exec: Pick<Exec, 'run' | 'which'>,
  folder: string,
  isPublished: (path: string) => boolean,
): Promise<string[]> {
  const unknown = [`${folder}: without GNU tar nobody can see whether files have capabilities, which would be lost`]
  if ((await exec.which('tar')) === undefined) return unknown
  const args = ['--xattrs', '--xattrs-include=*', '--acls', '--quoting-style=literal', '-cvvvf', '/dev/null']
  let path = ''
  let lost: { path: string; what: string } | undefined
  const result = await exec.run({
    program: 'tar',
    args: [...args, '-C', folder, '.'],
    timeoutMs: limits.payloadCheckTimeoutMs,
    env: { LC_ALL: 'C.UTF-8' },
    onLine(stream, line) {
      if (stream !== 'stdout' || lost !== undefined) return
      const name = /^[-a-z][-rwxsStT]{9}[ *+.]+ \S+ +[\d,]+ \S+ \S+ \.\/(.*)$/.exec(line)?.[1]
      if (name !== undefined) path = name.replace(/\/$/, '').replace(/ link to .*$/, '')
      const what = /^ {2}([xa]): (?:\d+ )?(\S+)/.exec(line)
      if (what === null || !isPublished(path)) return
      // The labels are the publishing machine's own; each node gives its files its own labels.
      if (what[2] !== 'security.selinux') lost = { path, what: what[1] === 'a' ? 'an ACL' : (what[2] ?? '') }
    },
  })
  if (lost !== undefined) throw lostFailure(join(folder, lost.path), lost.what)
  return result.code === 0 ? [] : unknown
}

function lostFailure(place: string, what: string): Failure {
  const hint =
    what === 'security.capability'
      ? 'set the capabilities in a postInstall hook (setcap), and take them off here: setcap -r'
      : what === 'an ACL'
        ? 'setfacl -b takes it off; files: in banyan.yaml gives owners and modes'
        : 'setfattr -x takes it off'
  return new Failure('bad-input', `${place}: it has ${what}, which a tree does not carry`, { hint })
}
