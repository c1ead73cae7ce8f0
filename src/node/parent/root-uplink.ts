// The uplink of a root, which has no parent: it answers its own calls from its fleet folder.

import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { parseJson } from '../../model/parse.ts'
import type { Fleet } from '../../trust/fleet.ts'
import type { Uplink } from './uplink.ts'

export function createRootUplink({ fleet, self }: { fleet: Pick<Fleet, 'file' | 'enrol'>; self: NodeName }): Uplink {
  return {
    tufFile: (file) => fleet.file(file),
    takeObjectsFrom() {},
    brings: () => always,
    objects: async (digests) => digests.map(() => undefined),
    announce: async () => {
      throw new Failure('unsupported', 'a root has nobody to announce to')
    },
    reports: async () => ({ accepted: 0, refused: [] }),
    async enrol(body) {
      try {
        const request = parseJson(body, 'certificate request', limits.messageMarksMax)
        const reply = await fleet.enrol(request, self)
        return { status: 200, body: new TextEncoder().encode(JSON.stringify(reply)) }
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        const failure = { code: error.code, message: messageOf(error), hint: error.hint }
        return { status: 403, body: new TextEncoder().encode(JSON.stringify({ failure })) }
      }
    },
    watch: (_version, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(0), { once: true })),
    saysCutOff: () => false,
    revoked: { digest: () => null, bucketDigests: async () => '', fetch: async () => [], send: async () => {} },
    lost: {
      isAny: () => false,
      fetch: async () => ({ objects: [], metadata: false }),
      send: async () => {},
      sendMetadata: async () => {},
    },
    parent: () => null,
    turnAway() {},
  }
}

/** Never aborted: a root has everything itself. */
const always = new AbortController().signal
