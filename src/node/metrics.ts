// A node's metrics at this moment.

import { Failure } from '../model/failure.ts'
import { own } from '../model/packages/records.ts'
import type { Settings } from '../model/settings.ts'
import { bytesOfSize } from '../model/units/sizes.ts'
import type { Inbox } from '../report/inbox.ts'
import { metricsOf } from '../report/metrics.ts'
import { openMetricsText } from '../report/open-metrics.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Clock, Disk } from '../world/world.ts'
import type { Bandwidth } from './bandwidth.ts'
import { reserveBytesOf } from './setup/disk-reserve.ts'
import type { Home } from './setup/home.ts'
import { attacksStanding } from './state/attacks.ts'
import { conditionOf, problemsOf } from './state/report-from.ts'
import type { State } from './state/state.ts'

/** OpenMetrics text. The free space is left out where the disk does not say. */
export async function metricsNow(parts: {
  clock: Pick<Clock, 'now'>
  disk: Pick<Disk, 'freeBytes'>
  home: Pick<Home, 'store'>
  version: string
  settings: () => Pick<Settings, 'storeQuota' | 'diskReserve'>
  state: () => State
  swarm: Pick<Swarm, 'moved' | 'stored' | 'whole' | 'unfinished' | 'transfers' | 'scrubbed'>
  inbox: Pick<Inbox, 'knowledge'>
  bandwidth: Pick<Bandwidth, 'rates'>
  /** Bytes per second; null where nobody has said so. */
  linkRate: () => number | null
}): Promise<string> {
  const { clock, home, swarm, bandwidth } = parts
  const free = await parts.disk.freeBytes(home.store).catch((error) => {
    if (error instanceof Failure) return null
    throw error
  })
  const { storeQuota } = parts.settings()
  const state = parts.state()
  const transfers = swarm.transfers()
  const { oldest, mending, damagedPieces } = swarm.scrubbed()
  const families = metricsOf({
    now: clock.now(),
    version: parts.version,
    condition: conditionOf(state, clock.now()),
    revision: state.revision?.body.number ?? null,
    converged: state.converged,
    expires: state.trusted?.expires ?? null,
    outcomes: state.outcomes,
    attacks: attacksStanding(state.attacks, clock.now(), own(state.acknowledged, state.name) ?? 0).length,
    problems: problemsOf(state, transfers).length,
    knowledge: parts.inbox.knowledge(),
    moved: swarm.moved(),
    scrub: { oldest, damagedPieces },
    payloads: { mending: mending.length, whole: swarm.whole().size, unfinished: swarm.unfinished().length },
    disk: {
      stored: swarm.stored().reduce((sum, { bytes }) => sum + bytes, 0),
      quota: storeQuota === undefined ? null : bytesOfSize(storeQuota),
      free,
      reserve: reserveBytesOf(parts.settings()),
    },
    rates: bandwidth.rates(),
    linkRate: parts.linkRate(),
    transfers,
  })
  return openMetricsText(families)
}
