// Puts a node together from what lies in its home folder, on the real world.

import { Failure, messageOf } from '../model/failure.ts'
import type { Settings } from '../model/settings.ts'
import { msOfDuration } from '../model/units/durations.ts'
import { unlimited } from '../model/units/rates.ts'
import { isService } from '../reconcile/apply/apply-unit.ts'
import { openLocalMachine } from '../reconcile/machine.ts'
import { forkedEngine } from '../swarm/engine-process.ts'
import { openSwarm } from '../swarm/swarm.ts'
import type { Fleet } from '../trust/fleet.ts'
import { loadIdentity, type NodeIdentity, saveIdentity } from '../trust/identity.ts'
import { openTrust } from '../trust/trust-store.ts'
import { serveLocal } from '../world/local.ts'
import { openObjects } from '../world/objects.ts'
import { readUploadFacts } from '../world/upload-facts.ts'
import type { World } from '../world/world.ts'
import { type RunningNode, startNode } from './daemon.ts'
import { openLocalApi } from './local-api.ts'
import type { PlainEndpoint } from './plain.ts'
import type { Reloaded } from './reload.ts'
import type { Home } from './setup/home.ts'
import { loadSettings } from './setup/settings-file.ts'
import { programVersion } from './version.ts'

export interface RealNode {
  name: string
  controlPort: number
  swarmPort: number
  reload(): Promise<Reloaded>
  stop(): Promise<void>
}

/** Throws a Failure that says what is missing or taken; then nothing of it runs. */
export async function startRealNode({ world, home }: { world: World; home: Home }): Promise<RealNode> {
  const settings = await loadSettings(world.disk, home.settings)
  let identity = await loadIdentity(home.keys, world.disk)
  if (identity.name !== settings.name) {
    throw new Failure(
      'conflict',
      `${home.settings}: name is ${settings.name}, and the certificate is for ${identity.name}`,
      {
        hint: 'a node keeps the name that it joined with',
      },
    )
  }
  await world.disk.makeFolder(home.run, { mode: 0o700 })
  const store = await world.openStore(home.state)
  let node: RunningNode | undefined
  let plain: PlainEndpoint | null = null
  try {
    const objects = openObjects({ disk: world.disk, dir: home.objects })
    const trust = await openTrust({ dir: home.tuf, clock: world.clock, disk: world.disk, log: world.log })
    const root = await openRootParts(world, home, settings, objects)
    node = await startNode({
      world,
      home,
      settings,
      readSettings: () => loadSettings(world.disk, home.settings),
      version: programVersion(),
      identity: () => identity,
      setIdentity: async (next: NodeIdentity) => {
        await saveIdentity(home.keys, next.tls, world.disk)
        identity = next
      },
      store,
      objects,
      trust,
      uploadFacts: () => readUploadFacts(),
      machine: openLocalMachine({
        ...world,
        home: home.dir,
        targetRoot: settings.targetRoot,
        asUnit: isService(process.env, process.pid),
      }),
      openSwarm: (wanted) =>
        openSwarm({
          dir: home.store,
          store: store.sub('swarm'),
          disk: world.disk,
          clock: world.clock,
          random: world.random,
          log: world.log,
          tls: () => identity.tls,
          self: settings.name,
          listen: { address: settings.listen, port: settings.swarmPort },
          rates: unlimited,
          engine: forkedEngine({ log: world.log, clock: world.clock }),
          ...wanted,
        }),
      root,
    })
    const running = node
    const { plain: wanted } = settings
    if (wanted !== undefined) {
      // Not loaded where it is off.
      const { openPlainEndpoint } = await import('./plain.ts')
      plain = await openPlainEndpoint({ ...world, settings: { ...settings, plain: wanted }, node })
    }
    const local = await serveLocal({
      path: home.socket,
      handler: openLocalApi({
        clock: world.clock,
        node: running,
        plain,
        root: root && { ...root, urls: () => [controlUrlOf(settings, running.controlPort)] },
      }),
      onError: (error, url) => world.log.error('local request failed', { url, error: messageOf(error) }),
    })
    return {
      name: settings.name,
      controlPort: running.controlPort,
      swarmPort: running.swarm.port,
      reload: () => running.reload(),
      async stop() {
        await local.close()
        await plain?.stop()
        await running.stop()
      },
    }
  } catch (error) {
    await plain?.stop()
    if (node === undefined) await store.close()
    else await node.stop()
    throw error
  }
}

async function openRootParts(world: World, home: Home, settings: Settings, objects: ReturnType<typeof openObjects>) {
  if (settings.parents.length > 0) return null
  const { openFleet } = await import('../trust/fleet.ts')
  const { openRepository } = await import('../repository/repository.ts')
  const { clock, disk, exec, log, random } = world
  const fleet: Fleet = await openFleet({
    dir: home.dir,
    clock,
    disk,
    random,
    ...(settings.timestampLifetime !== undefined && { timestampLifetimeMs: msOfDuration(settings.timestampLifetime) }),
  })
  const repository = await openRepository({
    dir: home.repository,
    payloads: home.store,
    objects,
    disk,
    exec,
    clock,
    log,
  })
  return { fleet, repository }
}

/** What a child can reach this node at, as far as the node itself can tell. */
export function controlUrlOf(settings: Pick<Settings, 'listen'>, port: number, address?: string): string {
  const reachable =
    settings.listen === '0.0.0.0' || settings.listen === '::' ? (address ?? '127.0.0.1') : settings.listen
  return `https://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}
