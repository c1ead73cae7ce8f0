// One apply at a time. A process that wants to apply listens at a unix socket of its own, in a
// folder that only its owner can enter, and then connects to all other sockets there. The kernel
// closes a socket when its process ends, however it ends, and accepts connections for a process
// that hangs. No name is ever taken over, so there is no moment at which two processes could take
// the same one.
//
// Why never two: each process listens before it looks. If two found nobody, each would have looked
// before the other listened, and so before the other looked, which cannot be true of both. Two that
// begin at the same moment may both give way; that is safe, and both are tried again.

import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { codeOf, Failure } from '../../model/failure.ts'

/** Takes the lock and holds it until this process ends. False if another process holds it. */
export async function takeApplyLock(home: string, txid: string): Promise<boolean> {
  if (!/^[\w-]+$/.test(txid)) throw new TypeError(`not a transaction's name: ${txid}`)
  await fs.mkdir(lockFolder(home), { recursive: true, mode: 0o700 })
  const folder = await openFolder(home)
  if (folder === undefined) return false
  const own = `${txid}.${randomUUID()}`
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.resume().unref()
  })
  let isHeld = false
  try {
    await listenAt(server, path.join(folder.path, hiddenName(own)))
    // A socket that does not listen yet counts as left behind, so nobody may find it before.
    isHeld = (await isRenamed(folder.path, hiddenName(own), own)) && (await isAlone(folder.path, own))
    // The folder stays open as long as the socket: Node.js knows the socket by a path below it.
    if (isHeld) heldFolders.add(folder)
    return isHeld
  } finally {
    if (!isHeld) {
      await fs.rm(path.join(folder.path, own), { force: true })
      if (server.listening) await new Promise((closed) => server.close(closed))
      await folder.close()
    }
  }
}

/**
 * Whether this transaction, or any if none is given, holds the lock or is trying to. Asks the
 * kernel, and never waits.
 */
export async function isApplying(home: string, txid?: string): Promise<boolean> {
  const holders = await holdersOf(home, txid)
  for (const holder of holders) holder.destroy()
  return holders.length > 0
}

/** Resolves when the transaction's process has ended; at once if there is none. */
export async function applyEnd(home: string, txid: string): Promise<void> {
  const holders = await holdersOf(home, txid)
  // `once` of node:events would throw at an error, and here it does not matter how the connection
  // ends.
  const ended = holders.filter(({ closed }) => !closed).map((one) => new Promise((gone) => one.once('close', gone)))
  await Promise.all(ended)
}

interface OpenFolder {
  /**
   * A short path, however deep the folder lies: the kernel allows 107 bytes for a socket's path.
   */
  path: string
  close(): Promise<void>
}

const heldFolders = new Set<OpenFolder>()

function lockFolder(home: string): string {
  return path.join(home, 'run', 'apply')
}

/**
 * Undefined if nothing was ever applied. Throws `refused` if the folder belongs to another user.
 */
async function openFolder(home: string): Promise<OpenFolder | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  const handle = await fs.open(lockFolder(home), flags).catch((error) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (handle === undefined) return undefined
  if ((await handle.stat()).uid !== process.geteuid?.()) {
    await handle.close()
    throw new Failure('refused', `${lockFolder(home)} belongs to somebody else`, {
      hint: 'remove it while nothing is being applied',
    })
  }
  await handle.chmod(0o700)
  return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() }
}

/**
 * Without hidden names: those sockets do not listen yet, or were left by a process that was killed
 * before it did.
 */
async function namesIn(folder: string): Promise<string[]> {
  return (await fs.readdir(folder)).filter((name) => !name.startsWith('.'))
}

function hiddenName(name: string): string {
  return `.${name}`
}

/** False if the process that holds the lock has cleared the file away meanwhile. */
async function isRenamed(folder: string, from: string, to: string): Promise<boolean> {
  try {
    await fs.rename(path.join(folder, from), path.join(folder, to))
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/**
 * Clears away the sockets of killed processes: a name is used once, so nobody will listen there
 * again.
 */
async function isAlone(folder: string, own: string): Promise<boolean> {
  for (const name of await namesIn(folder)) {
    if (name === own) continue
    const other = await listenerAt(path.join(folder, name))
    other?.destroy()
    if (other !== undefined) return false
    await fs.rm(path.join(folder, name), { force: true })
  }
  for (const name of await fs.readdir(folder)) {
    if (name.startsWith('.')) await fs.rm(path.join(folder, name), { force: true })
  }
  return true
}

async function holdersOf(home: string, txid: string | undefined): Promise<Socket[]> {
  const folder = await openFolder(home)
  if (folder === undefined) return []
  try {
    const names = (await namesIn(folder.path)).filter((name) => txid === undefined || name.startsWith(`${txid}.`))
    const holders = await Promise.all(names.map((name) => listenerAt(path.join(folder.path, name))))
    return holders.filter((holder) => holder !== undefined)
  } finally {
    await folder.close()
  }
}

/**
 * A connection that ends when the listening process ends. Undefined if nobody listens. Throws if
 * that is not certain.
 */
function listenerAt(file: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(file)
    socket.once('connect', () => resolve(socket))
    socket.on('error', (error) => {
      // ECONNRESET and EPIPE: the process ended while it was asked.
      if (['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'].includes(codeOf(error))) resolve(undefined)
      else reject(error)
    })
    // Without reading, the end of the connection is never seen.
    socket.resume()
  })
}

function listenAt(server: Server, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(file, () => {
      server.off('error', reject)
      server.unref()
      resolve()
    })
  })
}
