// One apply at a time: an abstract unix socket, which ends with the process that holds it, however that ends. Whoever
// connects reads the holder's transaction, and sees the connection close when it has gone.

import { hash } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import path from 'node:path'

export interface ApplyHolder {
  txid: string
  /** Resolves when the holder has gone. */
  gone: Promise<void>
}

/** False if somebody else holds it. It is held until this process ends. */
export function takeApplyLock(home: string, txid: string): Promise<boolean> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write(`${txid}\n`)
    socket.unref()
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    server.listen(lockName(home), () => {
      server.unref()
      resolve(true)
    })
  })
}

/** Who applies right now; undefined if nobody does. */
export function applyHolder(home: string): Promise<ApplyHolder | undefined> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(lockName(home))
    let said = ''
    const gone = new Promise<void>((ended) => socket.once('close', () => ended()))
    socket.on('error', (error) => {
      if ('code' in error && ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(String(error.code))) resolve(undefined)
      else reject(error)
    })
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      said = (said + text).slice(0, 256)
      const end = said.indexOf('\n')
      if (end !== -1) resolve({ txid: said.slice(0, end), gone })
    })
    // It ended before it could say who it was.
    gone.then(() => resolve(undefined))
  })
}

// Any local user can take this name first and so keep applies from running; none can make one run.
function lockName(home: string): string {
  return `\0banyan-apply-${hash('sha256', path.resolve(home), 'hex').slice(0, 32)}`
}
