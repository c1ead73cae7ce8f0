// A home is its owner's alone: nobody else can look in, and nobody else made it or can replace it.

import { Failure } from '../../model/failure.ts'
import { type PathStep, setMode, stepsIn, type Way, wayTo } from '../../world/private-folder.ts'

/** A folder that is to be a home, as it was found. */
export interface HomeFound {
  dir: string
  way: Way
  /** What lies in it already. */
  content: readonly PathStep[]
  /** The user that this program runs as. */
  uid: number
}

/**
 * Called before a machine becomes a node. Throws `refused` for a home that somebody else made or can
 * replace. Takes others' rights to the home, and returns what was done, for a person.
 */
export async function claimHome(dir: string): Promise<string[]> {
  const found = await lookAt(dir)
  const objection = objectionTo(found)
  if (objection !== undefined) throw new Failure('refused', objection.because, { hint: objection.hint })
  return await close(found)
}

/**
 * Called when a node starts: the home is in use, so what cannot be made right is only told. Returns
 * what was done and what is wrong, for a person.
 */
export async function closeHome(dir: string): Promise<string[]> {
  const found = await lookAt(dir)
  const objection = objectionTo(found)
  return [...(await close(found)), ...(objection === undefined ? [] : [`${objection.because}: ${objection.hint}`])]
}

async function lookAt(dir: string): Promise<HomeFound> {
  return { dir, way: await wayTo(dir), content: await stepsIn(dir), uid: process.geteuid?.() ?? 0 }
}

async function close(found: HomeFound): Promise<string[]> {
  const { dir, way, uid } = found
  const mode = modeFor(found)
  if (way.folder === undefined || mode === undefined || way.folder.uid !== uid) return []
  await setMode(dir, mode)
  return [`${dir} had mode ${octal(way.folder.mode)}, and others could look in: now it has ${octal(mode)}`]
}

/**
 * The mode that a home is to have; undefined if it stays. A group that may look in was let in on
 * purpose, as long as nobody else is. A folder with the sticky bit is shared with others. Pure.
 */
export function modeFor({ way: { folder } }: Pick<HomeFound, 'way'>): number | undefined {
  if (folder === undefined || (folder.mode & 0o1000) !== 0) return undefined
  const mode = (folder.mode & 0o007) === 0 ? folder.mode & 0o750 : 0o700
  return mode === folder.mode ? undefined : mode
}

interface Objection {
  because: string
  hint: string
}

/** Why a folder cannot become a home; undefined if it can. Pure. */
export function objectionTo({ dir, way, content, uid }: HomeFound): Objection | undefined {
  const { folder, above } = way
  const isOurs = (step: PathStep) => step.uid === uid || step.uid === 0
  const steps = folder === undefined ? above : [...above, folder]
  const foreign = steps.find((step) => !isOurs(step))
  if (foreign !== undefined) {
    const because = `${foreign.path} belongs to user ${foreign.uid}, who could replace ${dir}`
    return { because, hint: 'choose a --home below folders of root or of your own' }
  }
  const open = above.find((step, at) => step.kind === 'folder' && canOthersReplace(step, steps[at + 1]))
  if (open !== undefined) {
    const because = `${open.path} has mode ${octal(open.mode)}: others could replace ${dir}`
    return { because, hint: `chmod go-w ${open.path}, or choose another --home` }
  }
  if (folder === undefined) return undefined
  if (folder.kind !== 'folder') return { because: `${dir} is no folder`, hint: 'choose another --home' }
  const planted = content.find((step) => !isOurs(step))
  if (planted !== undefined) {
    const because = `${planted.path} belongs to user ${planted.uid}`
    return { because, hint: 'remove it if it does not belong there, or choose another --home' }
  }
  // Somebody's folder for other things would be closed to its users.
  const isShared = content.length > 0 && !content.some(({ path }) => path.endsWith('/keys'))
  if ((isShared && (folder.mode & 0o007) !== 0) || (folder.mode & 0o1000) !== 0) {
    const because = `${dir} is open to others (mode ${octal(folder.mode)}) and holds other things`
    return { because, hint: `choose a --home of its own, or chmod go-rwx ${dir}` }
  }
  return undefined
}

/** In a folder with the sticky bit nobody can replace what belongs to another. */
function canOthersReplace(folder: PathStep, next: PathStep | undefined): boolean {
  // Many distributions give each user a group of the same number, and let it write.
  const isOpen = (folder.mode & 0o002) !== 0 || ((folder.mode & 0o020) !== 0 && ![0, folder.uid].includes(folder.gid))
  return isOpen && !((folder.mode & 0o1000) !== 0 && next !== undefined)
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
