// What a node is put together from: on the real world by `real-node.ts`, on the simulated one by
// the tests.

import type { EngineRights } from '../model/local-api/status.ts'
import type { Settings } from '../model/settings.ts'
import type { UploadFacts } from '../model/upload-guard.ts'
import type { LocalMachine } from '../reconcile/machine.ts'
import type { Repository } from '../repository/repository.ts'
import type { Swarm, SwarmParts } from '../swarm/swarm.ts'
import type { Revocations } from '../trust/admission/revocations.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { NodeIdentity } from '../trust/identity.ts'
import type { Trust } from '../trust/trust-store.ts'
import type { MachineMarks } from '../world/machine-marks.ts'
import type { Objects } from '../world/objects.ts'
import type { World } from '../world/world.ts'
import type { KeptStore } from './disk/kept-store.ts'
import type { Home } from './setup/home.ts'

export interface NodeParts {
  world: World
  home: Home
  /** The settings that this node is started with. */
  settings: Settings
  /** Reads the settings from their file again. */
  readSettings: () => Promise<Settings>
  /** The version of this program. */
  version: string
  identity: () => NodeIdentity
  /** Saves a renewed certificate. From then on `identity` returns it. */
  setIdentity: (identity: NodeIdentity) => Promise<void>
  revocations: Revocations
  store: KeptStore
  objects: Objects
  trust: Trust
  machine: LocalMachine
  /** Load and power supply of the machine. Without this function both stay unknown. */
  uploadFacts?: () => Promise<UploadFacts>
  /** By what this machine is told from another one with a copy of its home. Unknown without them. */
  machineMarks?: MachineMarks
  /** This machine's addresses that others can reach. Unknown without this function. */
  ownAddresses?: () => readonly string[]
  /** Connects to a port and hangs up. Null if the connection was taken, otherwise why not. */
  connect?: (address: string, port: number) => Promise<string | null>
  /** What the swarm engine may do here. Unknown without this function. */
  engineRights?: () => EngineRights
  openSwarm: (
    options: Pick<SwarmParts, 'onEvent' | 'site' | 'isChild' | 'linkRate' | 'scrubEveryMs' | 'onDamage'>,
  ) => Promise<Swarm>
  /** Null at every node but a root. */
  root: { fleet: Fleet; repository: Repository } | null
}
