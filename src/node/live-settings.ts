// What a running node goes by: its settings as they were read last, together with what the policy
// says for this node.

import { type LimitsInForce, limitsInForce } from '../model/node-limits.ts'
import type { Settings } from '../model/settings.ts'
import { bytesPerSecond, ratesAt } from '../model/units/rates.ts'
import type { Clock, Log } from '../world/world.ts'
import { type Reloaded, reloadedFrom } from './reload.ts'
import { policyLimitsOf } from './state/in-force.ts'
import type { State } from './state/state.ts'

export interface LiveSettings {
  /** The node's own settings, without the policy. */
  own(): Settings
  /** The limits of the policy and of the settings together. */
  limits(): LimitsInForce
  /**
   * Bytes per second that can come in over the link of this site now; null where neither settings
   * nor policy say.
   */
  linkRate(): number | null
  /**
   * Reads the settings and takes on those that can change while running. If they are refused it
   * throws and changes nothing.
   */
  reload(): Promise<Reloaded>
}

/** `settings` are those that the node was started with. */
export function createLiveSettings(parts: {
  settings: Settings
  readSettings: () => Promise<Settings>
  state: () => State
  clock: Pick<Clock, 'now' | 'timeZone'>
  log: Pick<Log, 'info'>
}): LiveSettings {
  const { clock, log } = parts
  let own = parts.settings
  const limits = () => limitsInForce(policyLimitsOf(parts.state()), own)
  return {
    own: () => own,
    limits,
    linkRate() {
      const { rates } = ratesAt(limits().bandwidth, clock.now(), clock.timeZone())
      const written = own.linkRate === undefined ? null : bytesPerSecond(own.linkRate)
      const known = [written, rates.link.download].filter((each) => each !== null)
      return known.length === 0 ? null : Math.min(...known)
    },
    async reload() {
      const reloaded = reloadedFrom(parts.settings, own, await parts.readSettings())
      own = reloaded.settings
      const { changed, needRestart } = reloaded
      log.info('settings reloaded', { changed: changed.join(' '), needRestart: needRestart.join(' ') })
      return reloaded
    },
  }
}
