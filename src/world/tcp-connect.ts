// Whether a machine takes connections at a port.

import { connect } from 'node:net'
import { codeOf, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

/** Connects and hangs up. Null if the connection was taken, otherwise why not. Never rejects. */
export function connectOnce(address: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: limits.siblingConnectMs })
    const ended = (because: string | null) => {
      socket.destroy()
      resolve(because)
    }
    socket.once('connect', () => ended(null))
    socket.once('timeout', () => ended('no answer'))
    socket.once('error', (error) => ended(codeOf(error) || messageOf(error)))
  })
}
