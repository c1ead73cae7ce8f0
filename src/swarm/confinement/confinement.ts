// What the engine's process may do on its machine. The engine talks to everybody who can reach the
// swarm port, so it gets a user of its own and nothing but the payloads
// (docs/decisions/0027-a-confined-engine.md).

import { messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Disk, Log } from '../../world/world.ts'

export interface User {
  uid: number
  gid: number
}

export type Confinement =
  /** Another user, who has no rights beside those of the payloads. */
  | { kind: 'other-user'; user: User; way: Way }
  /** The daemon is nobody special itself. */
  | { kind: 'own-user'; way: Way }
  /** The daemon is root and cannot start a program as anybody else. */
  | { kind: 'none'; because: string }

/** How a program is started: by `setpriv` with these flags, or by the system's call alone. */
export type Way = { kind: 'setpriv'; flags: readonly string[] } | { kind: 'call' }

/** Ends with the exit code of a program that was started as `user`; throws if it cannot be started. */
export type TryAs = (start: {
  program: string
  args: readonly string[]
  user?: User
  timeoutMs: number
}) => Promise<number>

/**
 * The account that a package may have made for the engine. Without it a number serves that neither
 * distributions nor systemd give to anybody (uid.conf of systemd: 60578 to 61183 are unused).
 */
const account = 'banyan-engine'
const freeId = 61_173

/**
 * Finds the strictest way that works here: containers may have no setpriv, no right to drop
 * capabilities, or no second user. `needed` are the files that the engine has to read.
 */
export async function findConfinement(parts: {
  /** The user that the daemon runs as. */
  uid: number
  needed: readonly string[]
  disk: Pick<Disk, 'read'>
  tryAs: TryAs
  log: Pick<Log, 'info' | 'warn'>
}): Promise<Confinement> {
  const found = await firstThatWorks(parts)
  if (found.kind === 'none') parts.log.warn('engine runs as root', { because: found.because })
  else if (found.kind === 'other-user') parts.log.info('engine has its own user', { uid: found.user.uid })
  return found
}

async function firstThatWorks(parts: Parameters<typeof findConfinement>[0]): Promise<Confinement> {
  if (parts.uid !== 0) {
    const way = (await worksWith(parts, { kind: 'setpriv', flags: ['--no-new-privs'] })) ?? { kind: 'call' as const }
    return { kind: 'own-user', way: 'because' in way ? { kind: 'call' } : way }
  }
  const user = await userFor(parts.disk)
  let because = ''
  for (const way of waysTo(user)) {
    const tried = await worksWith(parts, way, user)
    if (!('because' in tried)) return { kind: 'other-user', user, way }
    because = tried.because
  }
  return { kind: 'none', because }
}

/** The strictest first. Pure. */
export function waysTo({ uid, gid }: User): Way[] {
  const asUser = ['--no-new-privs', '--inh-caps=-all', '--clear-groups', `--reuid=${uid}`, `--regid=${gid}`]
  return [
    { kind: 'setpriv', flags: ['--bounding-set=-all', ...asUser] },
    // Without the right to drop it, as in many containers, the bounding set stays. Nothing is in force.
    { kind: 'setpriv', flags: asUser },
    { kind: 'call' },
  ]
}

/** Whether a program runs this way and can read what the engine needs. */
async function worksWith(
  { needed, tryAs }: { needed: readonly string[]; tryAs: TryAs },
  way: Way,
  user?: User,
): Promise<Way | { because: string }> {
  const test = needed.flatMap((file, at) => (at === 0 ? ['-r', file] : ['-a', '-r', file]))
  const { program, args } = startedBy(way, 'test', test)
  try {
    const code = await tryAs({
      ...{ program, args, timeoutMs: limits.confinementTryMs },
      ...(way.kind === 'call' && user !== undefined && { user }),
    })
    return code === 0 ? way : { because: `another user cannot read ${needed.join(' or ')}` }
  } catch (error) {
    return { because: messageOf(error) }
  }
}

/** The program to start so that `program` runs in this way. Pure. */
export function startedBy(
  way: Way,
  program: string,
  args: readonly string[],
): { program: string; args: readonly string[] } {
  return way.kind === 'call' ? { program, args } : { program: 'setpriv', args: [...way.flags, '--', program, ...args] }
}

async function userFor(disk: Pick<Disk, 'read'>): Promise<User> {
  const file = '/etc/passwd'
  const text = await disk.read(file, { maxBytes: limits.accountsMaxBytes }).catch(() => new Uint8Array())
  return userIn(new TextDecoder().decode(text)) ?? { uid: freeId, gid: freeId }
}

/** The account in passwd(5); undefined if it is missing, or is root. Pure. */
export function userIn(passwd: string): User | undefined {
  for (const line of passwd.split('\n')) {
    const [name, , uid = '', gid = ''] = line.split(':')
    if (name !== account || !/^\d{1,9}$/.test(uid) || !/^\d{1,9}$/.test(gid)) continue
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}
