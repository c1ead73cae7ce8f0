// Brings the children that have a payload whole into the table, but only into the swarms in which
// this node or another child lacks the payload. So thousands of payloads that everybody has cost
// nothing.

import type { InfoHash, NodeName } from '../model/names.ts'
import type { Announce, AnnouncedSwarm } from '../model/wire/announce.ts'
import type { Wanted } from './memberships.ts'
import type { Table } from './table.ts'
import type { Wholes } from './wholes.ts'

export interface WholeMembers {
  /**
   * The announce, and in it the swarms of the payloads that its node has whole and that somebody
   * lacks.
   */
  completed(node: NodeName, announce: Announce): Announce
  /**
   * The info hashes of the payloads that members of the table lack. The set is another one when its
   * contents are.
   */
  lacked(): ReadonlySet<InfoHash>
  /** Adds all children that have these payloads whole to their swarms. */
  join(swarms: readonly AnnouncedSwarm[]): void
}

export function createWholeMembers(parts: {
  table: Pick<Table, 'add' | 'wanted' | 'wantedEdition'>
  wholes: Pick<Wholes, 'has' | 'nodesWith'>
  /** What this node lacks itself. */
  lacks: () => Iterable<Wanted>
}): WholeMembers {
  const { table, wholes } = parts
  /** Kept for as long as the table wants the same. */
  let lacked = { edition: -1, wanted: [] as Wanted[], infoHashes: new Set<InfoHash>() }
  const lackedNow = () => {
    const edition = table.wantedEdition()
    if (edition === lacked.edition) return lacked
    const wanted = table.wanted()
    lacked = { edition, wanted, infoHashes: new Set(wanted.map(({ infoHash }) => infoHash)) }
    return lacked
  }
  return {
    completed: (node, announce) => {
      const listed = new Set(announce.swarms.map(({ infoHash }) => infoHash))
      const swarms = [...announce.swarms]
      for (const { infoHash, manifest } of [...lackedNow().wanted, ...parts.lacks()]) {
        if (listed.has(infoHash) || !wholes.has(node, infoHash)) continue
        listed.add(infoHash)
        swarms.push({ infoHash, manifest, have: 'all' })
      }
      return { ...announce, swarms }
    },
    lacked: () => lackedNow().infoHashes,
    join: (swarms) => {
      for (const { infoHash, manifest } of swarms) {
        for (const node of wholes.nodesWith(infoHash)) table.add(node, { infoHash, manifest, have: 'all' })
      }
    },
  }
}
