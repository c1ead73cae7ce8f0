// One apply at a time. Whoever wants to apply listens at a unix socket of its own in a folder that only its owner can
// enter, and then looks for others there: the kernel ends a socket with its process, however that ends, and answers for
// a process that hangs. No name is ever taken over, so there is no moment at which two could take it.
//
// Why never two: each is to be seen before it looks. Of two that both found nobody, each would have looked before the
// other was to be seen, and so before the other looked. Two that begin at the same moment may both give way; that is
// safe, and the next try is due anyway.

import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { codeOf, Failure } from '../../model/failure.ts'

/** False if somebody else holds it. It is held until this process ends. */
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
    // Nobody may find it before it listens: it would count as left behind.
    isHeld = (await isRenamed(folder.path, hiddenName(own), own)) && (await isAlone(folder.path, own))
    // The open folder stays as long as the socket, whose name node still knows as one below it.
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

/** Whether this transaction, or any, is at work or about to find out that another is. Asks the kernel: it never waits. */
export async function isApplying(home: string, txid?: string): Promise<boolean> {
  const holders = await holdersOf(home, txid)
  for (const holder of holders) holder.destroy()
  return holders.length > 0
}

/** Resolves when the transaction's process has ended; at once if there is none. */
export async function applyEnd(home: string, txid: string): Promise<void> {
  const holders = await holdersOf(home, txid)
  // Not `once` of node:events: how it ends, with an error or without, is all the same.
  const ended = holders.filter(({ closed }) => !closed).map((one) => new Promise((gone) => one.once('close', gone)))
  await Promise.all(ended)
}

interface OpenFolder {
  /** Short, however deep the folder lies: the kernel takes 107 bytes as a socket's path. */
  path: string
  close(): Promise<void>
}

const heldFolders = new Set<OpenFolder>()

function lockFolder(home: string): string {
  return path.join(home, 'run', 'apply')
}

/** Undefined if nobody ever applied. */
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

/** Hidden are those that do not listen yet, and what a kill in that moment left. */
async function namesIn(folder: string): Promise<string[]> {
  return (await fs.readdir(folder)).filter((name) => !name.startsWith('.'))
}

function hiddenName(name: string): string {
  return `.${name}`
}

/** False if somebody who holds the lock has cleared it away meanwhile. */
async function isRenamed(folder: string, from: string, to: string): Promise<boolean> {
  try {
    await fs.rename(path.join(folder, from), path.join(folder, to))
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** Clears away what killed ones left: a name is used once, and a socket that nobody listens at never comes back. */
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

/** A connection that ends with whoever listens there; undefined if nobody does. Anything but a clear no is thrown. */
function listenerAt(file: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(file)
    socket.once('connect', () => resolve(socket))
    socket.on('error', (error) => {
      // The last two: it ended while it was asked.
      if (['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'].includes(codeOf(error))) resolve(undefined)
      else reject(error)
    })
    // Otherwise its end is never seen.
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
