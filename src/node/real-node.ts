// A node on the real world: put together from its home folder, with its local socket and its plain
// endpoint.

import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import { parentTextOf, type Settings } from '../model/settings.ts'
import { msOfDuration } from '../model/units/durations.ts'
import { unlimited } from '../model/units/rates.ts'
import { isService } from '../reconcile/apply/apply-unit.ts'
import { startCuttingLeftOutput } from '../reconcile/apply/left-output.ts'
import { openLocalMachine } from '../reconcile/machine.ts'
import { forkedChecker } from '../swarm/checking/check-process.ts'
import { confinedEngine } from '../swarm/confinement/confined-engine.ts'
import { openSwarm } from '../swarm/swarm.ts'
import { openRevocations, revokedFileIn } from '../trust/admission/revocations.ts'
import { loadIdentity, type NodeIdentity, saveIdentity } from '../trust/identity.ts'
import { openTrust } from '../trust/trust-store.ts'
import { type LocalServer, serveLocal } from '../world/local.ts'
import { readMachineMarks } from '../world/machine-marks.ts'
import { type Objects, openObjects } from '../world/objects.ts'
import { ownAddresses } from '../world/own-addresses.ts'
import { connectOnce } from '../world/tcp-connect.ts'
import { readUploadFacts } from '../world/upload-facts.ts'
import type { World } from '../world/world.ts'
import { type RunningNode, startNode } from './daemon.ts'
import { type KeptStore, openKeptStore } from './disk/kept-store.ts'
import { createLocalApi } from './local-api.ts'
import type { NodeParts } from './node-parts.ts'
import type { PlainEndpoint } from './plain.ts'
import type { Reloaded } from './reload.ts'
import { controlUrlOf } from './setup/control-url.ts'
import type { Home } from './setup/home.ts'
import { loadNext, settleNext } from './setup/next-identity.ts'
import { closeHome } from './setup/private-home.ts'
import { loadSettings } from './setup/settings-file.ts'
import { programVersion } from './version.ts'

export interface RealNode {
  name: string
  controlPort: number
  swarmPort: number
  /**
   * Reads the settings and takes on those that can change while running. Throws if they are
   * refused.
   */
  reload(): Promise<Reloaded>
  stop(): Promise<void>
}

/** Throws a Failure that says what is missing or taken. Then nothing of the node runs. */
export async function startRealNode({
  world,
  home,
  onIdentity,
}: {
  world: World
  home: Home
  /** Another identity lies in the home: this node is to stop, and to be started with that. */
  onIdentity: () => void
}): Promise<RealNode> {
  await settleNext(home, world.disk)
  const settings = await loadSettings(world.disk, home.settings)
  const identity = await loadIdentity(home.keys, world.disk)
  if (identity.name !== settings.name) {
    throw new Failure(
      'conflict',
      `${home.settings}: name is ${settings.name}, and the certificate is for ${identity.name}`,
      { hint: `set the name back in node.yaml; banyan join --again TOKEN --name ${settings.name} changes it` },
    )
  }
  for (const told of await closeHome(home.dir)) world.log.warn('home open to others', { told })
  await world.disk.makeFolder(home.run, { mode: 0o700 })
  const store = await openKeptStore(world, { path: home.state, dir: home.kept })
  let node: RunningNode | undefined
  let plain: PlainEndpoint | null = null
  try {
    const parts = await nodePartsFrom({ world, home, settings, identity, store })
    node = await startNode(parts)
    plain = await plainEndpointOf(world, settings, node)
    const local = await serveCommands(parts, { node, plain, onIdentity })
    return realNode(settings.name, { node, plain, local, cutting: startCuttingLeftOutput(world) })
  } catch (error) {
    await plain?.stop()
    if (node === undefined) await store.close()
    else await node.stop()
    throw error
  }
}

async function nodePartsFrom({
  world,
  home,
  settings,
  identity: loaded,
  store,
}: {
  world: World
  home: Home
  settings: Settings
  identity: NodeIdentity
  store: KeptStore
}): Promise<NodeParts> {
  const { clock, disk, log, random } = world
  let identity = loaded
  const objects = openObjects({ disk, dir: home.objects })
  const asUnit = isService(process.env, process.pid)
  const engine = await confinedEngine({ ...world, folders: { store: home.store, cache: home.engineCache } })
  const root = settings.parents.length > 0 ? null : await openRootFolders({ world, home, settings, objects })
  const revokedIn = { file: revokedFileIn(home.dir), ca: loaded.tls.ca, disk }
  return {
    ...{ world, home, settings, store, objects },
    revocations: root?.fleet.revocations ?? (await openRevocations(revokedIn)),
    readSettings: () => loadSettings(disk, home.settings),
    version: programVersion(),
    identity: () => identity,
    setIdentity: async (next) => {
      await saveIdentity(home.keys, next.tls, disk)
      identity = next
    },
    trust: await openTrust({ dir: home.tuf, clock: root?.fleet ?? clock, disk, log }),
    uploadFacts: () => readUploadFacts(),
    ownAddresses,
    machineMarks: await readMachineMarks(disk),
    connect: connectOnce,
    machine: openLocalMachine({ ...world, home: home.dir, targetRoot: settings.targetRoot, asUnit }),
    openSwarm: (wanted) =>
      openSwarm({
        ...{ disk, clock, random, log, dir: home.store, store: store.sub('swarm'), self: settings.name },
        tls: () => identity.tls,
        listen: { address: settings.listen, port: settings.swarmPort },
        rates: unlimited,
        ...{ engine: engine.factory, checker: forkedChecker() },
        ...wanted,
      }),
    engineRights: engine.rights,
    root,
  }
}

/**
 * What a root keeps in its home beside the folders of every node: the keys of the fleet, and the
 * repository.
 */
async function openRootFolders({
  world,
  home,
  settings,
  objects,
}: {
  world: World
  home: Home
  settings: Settings
  objects: Objects
}): Promise<NonNullable<NodeParts['root']>> {
  // Loaded where they are needed: most nodes are no root.
  const { openFleet } = await import('../trust/fleet.ts')
  const { openRepository } = await import('../repository/repository.ts')
  const { prepareInProcess } = await import('../repository/preparing/preparing-process.ts')
  const { clock, disk, log, random } = world
  const timestampLifetimeMs = msOfDuration(settings.timestampLifetime ?? limits.timestampLifetimeMs)
  return {
    fleet: await openFleet({ dir: home.dir, clock, disk, random, timestampLifetimeMs }),
    repository: await openRepository({
      ...{ objects, disk, clock, log, prepare: prepareInProcess({ clock }) },
      dir: home.repository,
      payloads: home.store,
    }),
  }
}

/** Null, and not even loaded, where the settings do not switch it on. */
async function plainEndpointOf(world: World, settings: Settings, node: RunningNode): Promise<PlainEndpoint | null> {
  const { plain } = settings
  if (plain === undefined) return null
  const { startPlainEndpoint } = await import('./plain.ts')
  return await startPlainEndpoint({ ...world, settings: { ...settings, plain }, node })
}

/** Answers the commands of `banyan` on this machine. */
function serveCommands(
  { world, home, settings, root, identity, engineRights }: NodeParts,
  { node, plain, onIdentity }: { node: RunningNode; plain: PlainEndpoint | null; onIdentity: () => void },
): Promise<LocalServer> {
  const { clock, log } = world
  const urls = () => [parentTextOf({ url: controlUrlOf(settings, node.controlPort), name: settings.name })]
  const take = async (keyId: Sha256) => {
    const next = await loadNext(home, world.disk)
    if (next?.keyId !== keyId) {
      throw new Failure('conflict', `the daemon that answers keeps ${home.dir}, and the new certificate is not there`, {
        hint: 'give the home of that daemon with --home, or end that daemon',
      })
    }
    onIdentity()
  }
  return serveLocal({
    path: home.socket,
    handler: createLocalApi({
      ...{ clock, node, plain, engineRights, root: root && { ...root, urls } },
      identity: { keyId: () => identity().keyId, take },
    }),
    onError: (error, url) => log.error('local request failed', { url, error: messageOf(error) }),
  })
}

function realNode(
  name: string,
  {
    node,
    plain,
    local,
    cutting,
  }: { node: RunningNode; plain: PlainEndpoint | null; local: LocalServer; cutting: { stop(): void } },
): RealNode {
  return {
    name,
    controlPort: node.controlPort,
    swarmPort: node.swarm.port,
    reload: node.reload,
    async stop() {
      cutting.stop()
      await local.close()
      await plain?.stop()
      await node.stop()
    },
  }
}
