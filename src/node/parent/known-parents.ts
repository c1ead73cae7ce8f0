// Which nodes a running node takes for its parents. Keeps the names of first answers on disk.

import type { NodeName } from '../../model/names.ts'
import { type ParentPlace, parentPlaceOf } from '../../model/settings.ts'
import { background } from '../../work/background.ts'
import { takingTurns } from '../../work/turns.ts'
import type { Disk, Log } from '../../world/world.ts'
import { loadParentNames, parentNameAt, saveParentNames, type WrongParent } from '../setup/parent-names.ts'
import type { KnownParents } from './parent-calls.ts'

/** Forgets the names of places that are not among `parents` any more. */
export async function openKnownParents(parts: {
  disk: Pick<Disk, 'read' | 'write'>
  log: Log
  file: string
  parents: readonly string[]
  refused: (failure: WrongParent) => void
}): Promise<KnownParents> {
  const { disk, log, file } = parts
  const urls = new Set(parts.parents.map((text) => parentPlaceOf(text).url))
  const loaded = await loadParentNames(disk, file)
  const names = new Map<string, NodeName>([...loaded].filter(([url]) => urls.has(url)))
  const inTurn = takingTurns()
  return {
    nameAt: (place) => parentNameAt(place, names),
    answered({ url }: ParentPlace, name) {
      names.set(url, name)
      log.info('parent known from now on', { url, name })
      background(
        'keep the name of the parent',
        log,
        inTurn(() => saveParentNames(disk, file, names)),
      )
    },
    refused: parts.refused,
  }
}
