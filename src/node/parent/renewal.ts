// Renews the node's certificate before it ends: same name, same key, a new certificate from the root.

import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { parseJson } from '../../model/parse.ts'
import type { NodeIdentity } from '../../trust/identity.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import type { Clock, Log, Random, Timer } from '../../world/world.ts'
import type { Uplink } from './uplink.ts'

export interface RenewalParts {
  clock: Clock
  random: Random
  log: Log
  uplink: Pick<Uplink, 'enrol'>
  identity: () => NodeIdentity
  /** Saves the new one and uses it from now on. */
  onRenewed: (identity: NodeIdentity) => Promise<void>
}

/** Renewed when a third of its life is left; tried again with back-off until it works. */
export function startRenewal(parts: RenewalParts): { stop(): void } {
  const { clock, random, log } = parts
  let timer: Timer | undefined
  let stopped = false
  let attempt = 0

  const inMs = (ms: number) => {
    if (!stopped) timer = clock.after(ms, () => void look())
  }
  const look = async () => {
    const wait = renewalDueAt(parts.identity().notAfter) - clock.now()
    // A look a day follows a clock that was set, and stays below the longest timer that there is.
    if (wait > 0) return inMs(Math.min(wait, limits.renewalLookMs))
    try {
      await parts.onRenewed(await renewed(parts))
      attempt = 0
      log.info('certificate renewed')
      inMs(limits.retryCeilingMs)
    } catch (error) {
      attempt += 1
      log.warn('certificate not renewed', { error: messageOf(error) })
      inMs(retryDelayMs(attempt, random.fraction(), error instanceof Failure ? error : undefined))
    }
  }
  void look()
  return {
    stop() {
      stopped = true
      timer?.cancel()
    },
  }
}

/** Pure. */
export function renewalDueAt(notAfter: number): number {
  return notAfter - limits.certificateLifetimeMs / 3
}

async function renewed({ uplink, identity, clock }: RenewalParts): Promise<NodeIdentity> {
  // Every few weeks: not worth its memory in between.
  const { acceptRenewal, requestRenewal } = await import('../../trust/enrolment.ts')
  const request = new TextEncoder().encode(JSON.stringify(requestRenewal(identity(), clock.now())))
  const { status, body } = await uplink.enrol(request)
  if (status !== 200) {
    const text = new TextDecoder().decode(body.subarray(0, limits.textMaxChars))
    throw new Failure('refused', `the root answered ${status}: ${text}`, { retry: 'later' })
  }
  return acceptRenewal(parseJson(body, 'renewal reply', limits.messageMarksMax), identity())
}
