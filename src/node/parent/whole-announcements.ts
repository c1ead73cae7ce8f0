// What an announce says of the payloads that are whole here: that nothing changed, what changed, or
// all of them.

import { limits } from '../../model/limits.ts'
import type { InfoHash } from '../../model/names.ts'
import type { AnnouncedWhole } from '../../model/wire/announce.ts'
import { packed, setDigest } from '../../model/wire/packed.ts'

export interface WholeAnnouncements {
  /** What the next announce says, for the payloads that are whole now. */
  next(whole: ReadonlySet<InfoHash>): AnnouncedWhole
  /**
   * The tracker has answered an announce of these payloads; `tellAll` if the next announce has to
   * list all of them.
   */
  answered(whole: ReadonlySet<InfoHash>, tellAll: boolean): void
}

/**
 * Begins as if the tracker knew all payloads that are whole at the first announce. After a restart
 * of this node that is true; otherwise the digests differ, and the tracker asks for all of them.
 */
export function createWholeAnnouncements(): WholeAnnouncements {
  let announced: ReadonlySet<InfoHash> | undefined
  let isAllNext = false
  let digest: { of: ReadonlySet<InfoHash>; text: string } | undefined

  const digestOf = (whole: ReadonlySet<InfoHash>) => {
    if (digest?.of !== whole) digest = { of: whole, text: setDigest(withinLimit(whole)) }
    return digest.text
  }
  return {
    next(whole) {
      const before = announced ?? whole
      const text = digestOf(whole)
      if (isAllNext) return { digest: text, listed: 'all', infoHashes: packed(withinLimit(whole)), gone: '' }
      if (before === whole) return { digest: text, listed: 'changes', infoHashes: '', gone: '' }
      const added = withinLimit(whole).filter((infoHash) => !before.has(infoHash))
      const gone = withinLimit(before).filter((infoHash) => !whole.has(infoHash))
      return { digest: text, listed: 'changes', infoHashes: packed(added), gone: packed(gone) }
    },
    answered(whole, tellAll) {
      announced = whole
      isAllNext = tellAll
    },
  }
}

function withinLimit(whole: ReadonlySet<InfoHash>): InfoHash[] {
  return [...whole].slice(0, limits.announceSwarmsMax)
}
