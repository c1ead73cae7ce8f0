// What the parent's tracker is told of the payloads that are whole here: that it knows them, what changed since, or all.

import { limits } from '../../model/limits.ts'
import type { InfoHash } from '../../model/names.ts'
import type { AnnouncedWhole } from '../../model/wire/announce.ts'
import { packed, setDigest } from '../../model/wire/packed.ts'

export interface Telling {
  next(whole: ReadonlySet<InfoHash>): AnnouncedWhole
  /** The announce with these was taken in; `tellAll` if the tracker knew others. */
  answered(whole: ReadonlySet<InfoHash>, tellAll: boolean): void
}

/** It starts in the belief that the parent knows all: after a restart of this node that is true, else the parent says so. */
export function tellWhole(): Telling {
  let told: ReadonlySet<InfoHash> | undefined
  let isAll = false
  let digest: { of: ReadonlySet<InfoHash>; text: string } | undefined

  const within = (whole: ReadonlySet<InfoHash>) => [...whole].slice(0, limits.announceSwarmsMax)
  const digestOf = (whole: ReadonlySet<InfoHash>) => {
    if (digest?.of !== whole) digest = { of: whole, text: setDigest(within(whole)) }
    return digest.text
  }
  return {
    next: (whole) => {
      const before = told ?? whole
      const text = digestOf(whole)
      if (isAll) return { digest: text, listed: 'all', infoHashes: packed(within(whole)), gone: '' }
      if (before === whole) return { digest: text, listed: 'changes', infoHashes: '', gone: '' }
      const added = within(whole).filter((infoHash) => !before.has(infoHash))
      const gone = within(before).filter((infoHash) => !whole.has(infoHash))
      return { digest: text, listed: 'changes', infoHashes: packed(added), gone: packed(gone) }
    },
    answered: (whole, tellAll) => {
      told = whole
      isAll = tellAll
    },
  }
}
