// What an IP address says: which network (site) it belongs to, and who can reach it.

import assert from 'node:assert/strict'
import { isIP } from 'node:net'

/**
 * Where an address means the same machine: on this machine only, on one link only, or everywhere.
 */
export type Scope = 'machine' | 'link' | 'wide'

/**
 * The address without its zone. An IPv4 address that arrived over an IPv6 socket (`::ffff:`, RFC
 * 4291, 2.5.5.2) becomes plain IPv4. Every address from a socket goes through here before it is
 * compared or counted. Asserts that it is one.
 */
export function plainAddress(address: string): string {
  const unzoned = address.split('%', 1)[0] ?? ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(unzoned)
  const plain = mapped?.[1] ?? unzoned
  assert(isIP(plain) !== 0, `not an IP address: ${address}`)
  return plain
}

/**
 * The site of a node that names none, by its plain address: the /24 or the /64, as a word.
 * A word has no colons, so `2001:db8:0:1::7` belongs to site `2001-db8-0-1/64`.
 */
export function siteOf(address: string): string {
  if (isIP(address) === 4) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  return `${networkOf(address).join('-')}/64`
}

/** Takes a plain address. */
export function scopeOf(address: string): Scope {
  if (isIP(address) === 4) {
    if (address.startsWith('127.')) return 'machine'
    return address.startsWith('169.254.') ? 'link' : 'wide'
  }
  const network = networkOf(address)
  if (network.every((group) => group === '0')) return 'machine'
  return /^fe[89ab]/.test(network[0] ?? '') ? 'link' : 'wide'
}

/**
 * Whether the address is one that many networks have, each for itself (RFC 1918, RFC 6598, RFC 4193).
 * Takes a plain address.
 */
export function isPrivate(address: string): boolean {
  if (isIP(address) !== 4) return /^f[cd]/.test((networkOf(address)[0] ?? '').padStart(4, '0'))
  const [a = 0, b = 0] = address.split('.').map(Number)
  return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 100 && b >= 64 && b < 128)
}

/** Whether one machine can have the address and others can reach it there. Takes a plain address. */
export function isReachable(address: string): boolean {
  if (scopeOf(address) !== 'wide') return false
  if (isIP(address) !== 4) return !/^ff/.test((networkOf(address)[0] ?? '').padStart(4, '0'))
  const first = Number(address.split('.', 1)[0])
  return first > 0 && first < 224
}

/** An address, or a name, as it stands in a URL. */
export function addressInUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

/** The first four groups of an IPv6 address, without leading zeros. */
function networkOf(address: string): string[] {
  const [head = '', tail] = address.toLowerCase().split('::')
  const left = head === '' ? [] : head.split(':')
  // Behind the gap an IPv4 address may stand for the last two groups. It never reaches the first
  // four.
  const right = tail === undefined || tail === '' ? [] : tail.replace(/\d+\.\d+\.\d+\.\d+$/, '0:0').split(':')
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array<string>(gap).fill('0'), ...right]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
}
