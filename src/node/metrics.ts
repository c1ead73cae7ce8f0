// The node's metrics as they are when somebody asks.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Settings } from '../model/settings.ts'
import { bytesOfSize } from '../model/units/sizes.ts'
import type { Inbox } from '../report/inbox.ts'
import { metricsOf } from '../report/metrics.ts'
import { openMetricsText } from '../report/open-metrics.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Clock, Disk } from '../world/world.ts'
import type { KeptBandwidth } from './bandwidth.ts'
import type { Home } from './setup/home.ts'
import { conditionOf, problemsOf } from './state/report-from.ts'
import type { State } from './state/state.ts'

export async function metricsNow(parts: {
  clock: Pick<Clock, 'now'>
  disk: Pick<Disk, 'freeBytes'>
  home: Pick<Home, 'store'>
  version: string
  settings: () => Pick<Settings, 'storeQuota' | 'diskReserve'>
  state: () => State
  swarm: Pick<Swarm, 'moved' | 'stored' | 'whole' | 'unfinished' | 'transfers'>
  inbox: Pick<Inbox, 'knowledge'>
  bandwidth: Pick<KeptBandwidth, 'rates' | 'linkRate'>
}): Promise<string> {
  const { clock, home, swarm, bandwidth } = parts
  const free = await parts.disk.freeBytes(home.store).catch((error) => {
    if (error instanceof Failure) return null
    throw error
  })
  const { storeQuota, diskReserve } = parts.settings()
  const state = parts.state()
  const transfers = swarm.transfers()
  const families = metricsOf({
    now: clock.now(),
    version: parts.version,
    condition: conditionOf(state, clock.now()),
    revision: state.revision?.body.number ?? null,
    converged: state.converged,
    expires: state.trusted?.expires ?? null,
    outcomes: state.outcomes,
    attacks: state.attacks.length,
    problems: problemsOf(state, transfers).length,
    knowledge: parts.inbox.knowledge(),
    moved: swarm.moved(),
    payloads: { whole: swarm.whole().size, unfinished: swarm.unfinished().length },
    disk: {
      stored: swarm.stored().reduce((sum, { bytes }) => sum + bytes, 0),
      quota: storeQuota === undefined ? null : bytesOfSize(storeQuota),
      free,
      reserve: diskReserve === undefined ? limits.diskReserveBytes : bytesOfSize(diskReserve),
    },
    rates: bandwidth.rates(),
    linkRate: bandwidth.linkRate(),
    transfers,
  })
  return openMetricsText(families)
}
