// The addresses of this machine.

import { networkInterfaces } from 'node:os'

/** Without those that only this machine can reach. They change with the network: ask each time. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.flatMap(({ address, internal }) => (internal ? [] : [address])),
  )
}
