// What a running node goes by: its settings as they were read last, and what the policy says beside them.

import { type LimitsInForce, limitsInForce } from '../model/node-limits.ts'
import type { Settings } from '../model/settings.ts'
import type { Log } from '../world/world.ts'
import { type Reloaded, reloadedFrom } from './reload.ts'
import { policyLimitsOf } from './state/in-force.ts'
import type { State } from './state/state.ts'

export interface LiveSettings {
  own(): Settings
  limits(): LimitsInForce
  /** Takes on what can be while running. Throws what the settings are refused for; then they are as before. */
  reload(): Promise<Reloaded>
}

export function keepSettings(parts: {
  settings: Settings
  readSettings: () => Promise<Settings>
  state: () => State
  log: Pick<Log, 'info'>
}): LiveSettings {
  let own = parts.settings
  return {
    own: () => own,
    limits: () => limitsInForce(policyLimitsOf(parts.state()), own),
    async reload() {
      const reloaded = reloadedFrom(parts.settings, own, await parts.readSettings())
      own = reloaded.settings
      parts.log.info('settings reloaded', {
        changed: reloaded.changed.join(' '),
        needRestart: reloaded.needRestart.join(' '),
      })
      return reloaded
    },
  }
}
