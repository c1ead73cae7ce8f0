// The number of callers that each address has here: all of them, and the ones that have not said
// yet who they are.

import { limits } from '../../model/limits.ts'

export interface Callers<Connection> {
  /** Returns false, and counts nothing, if the address has its share of callers. */
  enter(connection: Connection, address: string): boolean
  /** It is known by now who calls. */
  introduced(connection: Connection): void
  left(connection: Connection): void
}

export function createCallers<Connection>(): Callers<Connection> {
  const counts = new Map<string, { open: number; unknown: number }>()
  const open = new Map<Connection, { address: string; isUnknown: boolean }>()
  const introduced = (connection: Connection) => {
    const caller = open.get(connection)
    const count = caller === undefined ? undefined : counts.get(caller.address)
    if (caller === undefined || count === undefined || !caller.isUnknown) return
    caller.isUnknown = false
    count.unknown -= 1
  }
  return {
    enter: (connection, address) => {
      const count = counts.get(address) ?? { open: 0, unknown: 0 }
      if (count.open >= limits.wiresPerAddressMax || count.unknown >= limits.handshakesPerAddressMax) return false
      count.open += 1
      count.unknown += 1
      counts.set(address, count)
      open.set(connection, { address, isUnknown: true })
      return true
    },
    introduced,
    left: (connection) => {
      introduced(connection)
      const address = open.get(connection)?.address
      const count = address === undefined ? undefined : counts.get(address)
      if (address === undefined || count === undefined) return
      open.delete(connection)
      count.open -= 1
      if (count.open === 0) counts.delete(address)
    },
  }
}
