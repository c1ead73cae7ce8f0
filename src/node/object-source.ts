// Small objects by digest: from our own folder, else once from above, however many ask at the same time.

import { createHash } from 'node:crypto'
import path from 'node:path'
import { Failure } from '../model/failure.ts'
import type { Sha256 } from '../model/names.ts'
import type { Attack } from '../model/report.ts'
import type { Objects } from '../world/objects.ts'
import type { Named } from './named.ts'
import type { Uplink } from './uplink.ts'

export interface ObjectSource {
  /** Undefined if nobody up to the root has it. Throws what the uplink throws, and `digest-mismatch` for forged bytes. */
  get(digest: Sha256): Promise<Uint8Array | undefined>
  /** Like `get`, but absence is a Failure `not-found` that is worth another try. */
  need(digest: Sha256, what: string): Promise<Uint8Array>
  /** The file that holds it, if it is here. */
  pathOf(digest: Sha256): Promise<string | undefined>
}

export function openObjectSource(parts: {
  objects: Objects
  /** Where the objects lie. */
  folder: string
  uplink: Uplink
  /** What may be kept here. */
  named: Named
  onAttack: (attack: Pick<Attack, 'kind' | 'from' | 'detail'>) => void
}): ObjectSource {
  const underway = new Map<Sha256, Promise<Uint8Array | undefined>>()

  const fetchOnce = async (digest: Sha256): Promise<Uint8Array | undefined> => {
    const here = await parts.objects.get(digest)
    if (here !== undefined) {
      parts.named.learn(digest, here)
      return here
    }
    const bytes = await parts.uplink.object(digest)
    if (bytes === undefined) return undefined
    const actual = createHash('sha256').update(bytes).digest('hex')
    if (actual !== digest) {
      const from = parts.uplink.parent()?.node ?? 'parent'
      const detail = `object ${digest} came with digest ${actual}`
      parts.onAttack({ kind: 'object-forged', from, detail })
      parts.uplink.turnAway()
      throw new Failure('digest-mismatch', `${detail} from ${from}`, { retry: 'later' })
    }
    parts.named.learn(digest, bytes)
    if (parts.named.has(digest)) await parts.objects.put(bytes)
    return bytes
  }
  const get = (digest: Sha256) => {
    const shared = underway.get(digest)
    if (shared !== undefined) return shared
    const fetching = fetchOnce(digest).finally(() => underway.delete(digest))
    underway.set(digest, fetching)
    return fetching
  }
  return {
    get,
    async pathOf(digest) {
      return (await parts.objects.has(digest)) ? path.join(parts.folder, digest) : undefined
    },
    async need(digest, what) {
      const bytes = await get(digest)
      if (bytes !== undefined) return bytes
      throw new Failure('not-found', `${what}: no node above has object ${digest}`, { retry: 'later' })
    },
  }
}
