// What a tree may consist of: the check that every entry of a tar passes before anything of it is
// written on a node, and before its folder is published. Pure.

/** An entry as the tar reader gives it. Everything in it was chosen by whoever made the tar. */
export interface TarEntry {
  path: string
  type: string
  linkpath?: string | undefined
  mode?: number | undefined
  size?: number | undefined
  /** Names of accounts on the node; empty for those of whoever unpacks. */
  uname?: string | undefined
  gname?: string | undefined
}

/** The accounts that an entry is given to. Without them it belongs to whoever unpacks it. */
export interface Owner {
  owner?: string
  group?: string
}

/** An entry that may be written. */
export type Accepted =
  | ({ kind: 'folder'; path: string; mode: number } & Owner)
  | ({ kind: 'file'; path: string; mode: number } & Owner)
  /** Another name for an earlier file, with the mode of that file. */
  | { kind: 'alias'; path: string }
  | { kind: 'link'; path: string; target: string }

/** Judges the entries of one tar, in their order. */
export interface TarCheck {
  /** What the entry is, or why the whole tar is refused. Called with the entries in their order. */
  accept(entry: TarEntry): Accepted | { kind: 'refused'; because: string }
}

/** The paths of a tar so far. A folder is implied if only something below it has come. */
type KnownPaths = Map<string, 'folder' | 'implied' | 'file' | 'link'>

/** `most` limits the entries of the whole tar, and the bytes of its files. */
export function createTarCheck(most: { entries: number; bytes: number }): TarCheck {
  const known: KnownPaths = new Map()
  let bytes = 0

  return {
    accept(entry) {
      const refused = (because: string) => ({ kind: 'refused', because }) as const
      const path = plainPathOf(entry.path)
      if (path === undefined) return refused(`${JSON.stringify(entry.path)} is not a path below the tree`)
      if (known.size >= most.entries) return refused(`more than ${most.entries} entries`)
      const place = path === '.' ? undefined : refusalOfPlace(known, path, entry.type)
      if (place !== undefined) return refused(place)
      const mode = entry.mode ?? 0o644
      if ((mode & 0o7000) !== 0) return refused(`${path} has the special mode ${mode.toString(8)}`)
      const owner = ownerOf(entry)
      if (owner === undefined) return refused(`${path} belongs to no plain name of an account`)
      switch (entry.type) {
        case 'Directory':
          known.set(path, 'folder')
          return { kind: 'folder', path, mode: mode | 0o700, ...owner }
        case 'File':
        case 'OldFile':
        case 'ContiguousFile':
          if (path === '.') return refused('the tree itself is a file')
          bytes += entry.size ?? 0
          if (bytes > most.bytes) return refused(`more than ${most.bytes} bytes of files`)
          known.set(path, 'file')
          return { kind: 'file', path, mode, ...owner }
        case 'Link': {
          const target = plainPathOf(entry.linkpath ?? '')
          if (target === undefined || known.get(target) !== 'file') {
            return refused(`${path} is a hard link to ${JSON.stringify(entry.linkpath)}, which is no file of the tree`)
          }
          known.set(path, 'file')
          return { kind: 'alias', path }
        }
        case 'SymbolicLink': {
          const target = entry.linkpath ?? ''
          if (path === '.' || !staysInside(path, target)) {
            return refused(`${path} is a link to ${JSON.stringify(target)}, which may leave the tree`)
          }
          known.set(path, 'link')
          return { kind: 'link', path, target }
        }
        default:
          return refused(`${path} is a ${entry.type}`)
      }
    },
  }
}

/** Undefined for names that no account has. The tree's own root is always the unpacker's. */
function ownerOf({ uname = '', gname = '' }: TarEntry): Owner | undefined {
  if (![uname, gname].every((name) => /^([a-z_][a-z0-9_-]{0,30})?$/.test(name))) return undefined
  const isGiven = (name: string) => name !== '' && name !== 'root'
  return { ...(isGiven(uname) && { owner: uname }), ...(isGiven(gname) && { group: gname }) }
}

/**
 * Why nothing can be at that path; undefined if it is free. Notes the folders that the path
 * implies.
 */
function refusalOfPlace(known: KnownPaths, path: string, type: string): string | undefined {
  const names = path.split('/')
  for (let depth = 1; depth < names.length; depth += 1) {
    const above = names.slice(0, depth).join('/')
    const kind = known.get(above)
    // Written through a link, a file would land wherever the link points.
    if (kind === 'link' || kind === 'file') return `${path} lies below the ${kind} ${above}`
    if (kind === undefined) known.set(above, 'implied')
  }
  const there = known.get(path)
  const folderAgain = type === 'Directory' && (there === 'folder' || there === 'implied')
  return there === undefined || folderAgain ? undefined : `${path} comes twice`
}

/**
 * The path without leading `./` and trailing `/`. Undefined if it is absolute or has `..`, `.` or
 * nothing between slashes.
 */
function plainPathOf(path: string): string | undefined {
  const plain = path.replace(/^(\.\/)+/, '').replace(/\/+$/, '')
  if (plain === '' || plain === '.') return path === '' || path.startsWith('/') ? undefined : '.'
  if (plain.length > 4096 || plain.startsWith('/') || plain.includes('\0')) return undefined
  return plain.split('/').some((name) => name === '' || name === '.' || name === '..') ? undefined : plain
}

/**
 * Whether a link's target resolves inside the tree, whatever other links it passes. `..` is allowed
 * only at the start, where it goes up from a real folder, because nothing lies below a link. After
 * a name it could go up from anywhere.
 */
export function staysInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0') || target.length > 4096) return false
  const names = target.split('/').filter((name) => name !== '' && name !== '.')
  const up = names.findIndex((name) => name !== '..')
  const ups = up === -1 ? names.length : up
  if (names.slice(ups).includes('..')) return false
  return ups <= path.split('/').length - 1
}
