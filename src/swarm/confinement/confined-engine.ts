// The engine of this machine, as strictly confined as works here, and what it may do.

import { unreachable } from '../../model/failure.ts'
import type { EngineRights } from '../../model/local-api/status.ts'
import type { Clock, Disk, Log } from '../../world/world.ts'
import type { EngineFactory } from '../engine.ts'
import { forkedEngine } from '../engine-process.ts'
import { type Confinement, findConfinement } from './confinement.ts'
import { type EngineFolders, neededFiles, payloadsInside, tryAs } from './engine-start.ts'
import { shareFolder } from './handing-over.ts'

/** `rights` is for the status of the node. */
export async function confinedEngine(parts: {
  disk: Pick<Disk, 'read' | 'makeFolder'>
  clock: Clock
  log: Log
  folders: EngineFolders
}): Promise<{ factory: EngineFactory; rights: () => EngineRights }> {
  const confinement = await confinementHere(parts)
  const engine = forkedEngine({ ...parts, confinement })
  const uid = process.geteuid?.() ?? 0
  return { factory: engine, rights: () => rightsIn(confinement, uid, engine.notStarted()) }
}

/** The strictest confinement that works for this process and this folder. */
export function confinementHere({
  disk,
  log,
  folders,
}: {
  disk: Pick<Disk, 'read' | 'makeFolder'>
  log: Pick<Log, 'debug' | 'warn'>
  folders: Pick<EngineFolders, 'store'>
}): Promise<Confinement> {
  return findConfinement({
    ...{ uid: process.geteuid?.() ?? 0, needed: neededFiles, store: folders.store, storeInside: payloadsInside },
    ...{ disk, log, tryAs, share: shareFolder },
  })
}

/** `uid`: the user of the daemon. Pure. */
export function rightsIn(confinement: Confinement, uid: number, notStarted: string | null): EngineRights {
  switch (confinement.kind) {
    case 'other-user': {
      const { user, way } = confinement
      const because = way.kind === 'setpriv' ? null : `setpriv does not work here: ${way.because}`
      return { runs: 'as-another-user', uid: user.uid, because, notStarted }
    }
    case 'own-user':
      return { runs: 'as-the-daemon', uid, because: null, notStarted }
    case 'none':
      return { runs: 'as-root', uid, because: confinement.because, notStarted }
    default:
      return unreachable(confinement)
  }
}
