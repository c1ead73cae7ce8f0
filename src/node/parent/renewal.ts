// Renews the node's certificate before it expires: same name, same key, a new certificate from the
// root.

import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant } from '../../model/names.ts'
import { parseJson } from '../../model/parse.ts'
import type { NodeIdentity } from '../../trust/identity.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import { background } from '../../work/background.ts'
import type { Clock, Log, Random, Timer } from '../../world/world.ts'
import type { Uplink } from './uplink.ts'

export interface RenewalParts {
  clock: Clock
  random: Random
  log: Log
  uplink: Pick<Uplink, 'enrol'>
  identity: () => NodeIdentity
  /** Saves the renewed identity and uses it from now on. */
  onRenewed: (identity: NodeIdentity) => Promise<void>
  /** The root, or a node on the way to it, gives no certificate. */
  onRefused: (why: Failure) => void
}

/**
 * Renews when a third of the certificate's life is left, and tries again with back-off until it
 * works: also after the end of the certificate, for a node that was off for long.
 */
export function startRenewal(parts: RenewalParts): { stop(): void } {
  const { clock, random, log } = parts
  let timer: Timer | undefined
  let stopped = false
  let failures = 0

  const lookIn = (ms: number) => {
    if (!stopped) timer = clock.after(ms, () => background('renew certificate', log, look()))
  }
  const look = async () => {
    const wait = renewalDueAt(parts.identity().notAfter) - clock.now()
    // A look every day follows a clock that was set.
    if (wait > 0) return lookIn(Math.min(wait, limits.renewalLookMs))
    try {
      await parts.onRenewed(await renewed(parts))
      failures = 0
      log.info('certificate renewed')
      lookIn(limits.retryCeilingMs)
    } catch (error) {
      failures += 1
      log.warn('certificate not renewed', { error: messageOf(error) })
      if (error instanceof Failure && error.code === 'refused') parts.onRefused(error)
      lookIn(retryDelayMs(failures, random.fraction(), error instanceof Failure ? error : undefined))
    }
  }
  background('renew certificate', log, look())
  return {
    stop() {
      stopped = true
      timer?.cancel()
    },
  }
}

/** When to renew a certificate that expires at `notAfter`. */
export function renewalDueAt(notAfter: Instant): Instant {
  return notAfter - limits.certificateLifetimeMs / 3
}

async function renewed({ uplink, identity, clock }: RenewalParts): Promise<NodeIdentity> {
  // Needed every few weeks: loaded then, to save memory in between.
  const { acceptRenewal, refusalOf, requestRenewal } = await import('../../trust/enrolment.ts')
  const request = new TextEncoder().encode(JSON.stringify(requestRenewal(identity(), clock.now())))
  const { status, body } = await uplink.enrol(request)
  const reply = parseJson(body, 'renewal reply', limits.messageMarksMax)
  if (status !== 200) throw refusalOf(reply, status, 'the root')
  return acceptRenewal(reply, identity())
}
