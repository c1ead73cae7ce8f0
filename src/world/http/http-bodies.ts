// The bodies that a control port is reading. What one caller announces has to fit into its own share;
// the room of all is taken by what arrives, so that who announces much and sends little takes none.

import type { IncomingMessage } from 'node:http'
import { limits } from '../../model/limits.ts'
import type { Budget, Claim } from './http-budget.ts'

export interface BodyClaim extends Claim {
  /** Whether there is room for so much of it. */
  grow(arrivedBytes: number): boolean
}

export interface Bodies {
  /** Undefined if as much of this caller is being read already as one may send. */
  begin(caller: string, announcedBytes: number): BodyClaim | undefined
}

/** Of a request without a body. */
export const noBody: BodyClaim = { grow: () => true, release: () => {} }

export function createBodies(budget: Budget): Bodies {
  const underway = new Map<string, { count: number; bytes: number }>()
  const add = (caller: string, count: number, bytes: number) => {
    const before = underway.get(caller) ?? { count: 0, bytes: 0 }
    if (before.count + count === 0) underway.delete(caller)
    else underway.set(caller, { count: before.count + count, bytes: before.bytes + bytes })
  }
  return {
    begin(caller, bytes) {
      const own = underway.get(caller)
      const fits = own === undefined || own.bytes + bytes <= limits.httpBytesUnderwayOfOneMax
      if (!fits || (own?.count ?? 0) >= limits.bodiesOfOneMax) return undefined
      add(caller, 1, bytes)
      const claims: Claim[] = []
      let claimed = 0
      let isHeld = true
      return {
        grow(arrived) {
          while (claimed < arrived) {
            const step = Math.min(limits.bodyStepBytes, Math.max(bytes - claimed, 1))
            const claim = budget.take(caller, step)
            if (claim === undefined) return false
            claims.push(claim)
            claimed += step
          }
          return true
        },
        release() {
          if (!isHeld) return
          isHeld = false
          for (const claim of claims) claim.release()
          add(caller, -1, -bytes)
        },
      }
    },
  }
}

/** Reads a body; `grow` says whether there is room for what has arrived. */
export async function bodyOf(
  message: IncomingMessage,
  maxBytes: number,
  grow: BodyClaim['grow'],
): Promise<Uint8Array | 'too-large' | 'no-room' | 'gone'> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let size = 0
    message.on('data', (part: Buffer) => {
      size += part.length
      const isTooLarge = size > maxBytes
      if (!isTooLarge && grow(size)) return parts.push(part)
      message.pause()
      parts.length = 0
      return resolve(isTooLarge ? 'too-large' : 'no-room')
    })
    message.on('end', () => {
      const whole = Buffer.concat(parts)
      parts.length = 0
      resolve(new Uint8Array(whole.buffer, whole.byteOffset, whole.length))
    })
    message.on('error', () => resolve('gone'))
    message.on('close', () => resolve('gone'))
  })
}
