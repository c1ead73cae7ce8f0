// The room of an inbox in the store, and what is in memory of it: the newest report of each node, as
// the node signed it, and its gist. After damage of the database an inbox knows its nodes from memory,
// from signed reports whose gist is gone, and, at a root, from the names that it has admitted.

import { type Knowledge, parseKnowledge } from '../model/knowledge.ts'
import type { Instant, NodeName } from '../model/names.ts'
import type { Store, StoreChange } from '../world/world.ts'
import { knowledgeOf } from './knowledge.ts'
import { digestOf, parseSignedReport, payloadIn, reportIn, type SignedReport } from './signed-report.ts'

export interface Recovery {
  now: Instant
  /**
   * The nodes of the fleet that are not known: a root keeps them in plain files. Nobody else can
   * name them.
   */
  admitted(isKnown: (node: NodeName) => boolean): Promise<NodeName[]>
}

/** The callers take turns. Whatever changes is in the store first, then in memory. */
export interface InboxRoom {
  /** By node: of all of them the gist is in memory. */
  known: Known
  storeReports(reports: readonly { knowledge: Knowledge; signed: SignedReport }[]): Promise<void>
  storeGists(gists: readonly Knowledge[]): Promise<void>
  /** A damaged database may have lost what counts as known. */
  storeLost(duplicates: ReadonlyMap<NodeName, SignedReport>): Promise<void>
  /** See `Inbox.recover`. */
  recover(recovery: Recovery): Promise<void>
  forget(node: NodeName): Promise<void>
  signed(node: NodeName): Promise<SignedReport | undefined>
  allSigned(): AsyncIterable<SignedReport>
}

/** Throws a `bad-input` Failure if the room holds something else than an inbox. */
export async function openInboxRoom(store: Store): Promise<InboxRoom> {
  const known = await storedKnowledge(store)
  const changed = async (changes: readonly StoreChange[]) => {
    if (changes.length > 0) await store.batch(changes)
  }
  const gistChange = (value: Knowledge): StoreChange => ({ kind: 'put', key: knowledgeKey(value.node), value })
  const signedChange = (value: SignedReport): StoreChange => ({ kind: 'put', key: signedKey(value.node), value })
  const storeGists = async (gists: readonly Knowledge[]) => {
    await changed(gists.map(gistChange))
    for (const each of gists) known.set(each.node, each)
  }
  async function* allSigned(): AsyncIterable<SignedReport> {
    for await (const [key, value] of store.entries(signedKey(''))) yield parseSignedReport(value, `inbox, ${key}`)
  }
  return {
    ...{ known, storeGists, allSigned },
    async storeReports(reports) {
      await changed(reports.flatMap(({ knowledge, signed }) => [gistChange(knowledge), signedChange(signed)]))
      for (const { knowledge } of reports) known.set(knowledge.node, knowledge)
    },
    async storeLost(duplicates) {
      const changes: StoreChange[] = []
      for (const [node, signed] of duplicates) {
        if ((await store.get(signedKey(node))) !== undefined) continue
        const knowledge = known.get(node)
        changes.push(signedChange(signed), ...(knowledge === undefined ? [] : [gistChange(knowledge)]))
      }
      await changed(changes)
    },
    async recover({ now, admitted }) {
      await storeGists(await missingFrom(store, knowledgeKey(''), known))
      const gists: Knowledge[] = []
      for await (const signed of allSigned()) if (!known.has(signed.node)) gists.push(gistOf(signed, now))
      await storeGists(gists)
      const names = await admitted((node) => known.has(node))
      await storeGists(names.map((node) => nameOnly(node, now)))
    },
    async forget(node) {
      await changed([knowledgeKey(node), signedKey(node)].map((key) => ({ kind: 'delete', key })))
      known.delete(node)
    },
    async signed(node) {
      const value = await store.get(signedKey(node))
      return value === undefined ? undefined : parseSignedReport(value, `inbox, report of ${node}`)
    },
  }
}

/** The gist of every node's newest report, and how many nodes report through each child. */
class Known extends Map<NodeName, Knowledge> {
  readonly #below = new Map<NodeName, number>()

  override set(node: NodeName, knowledge: Knowledge): this {
    this.#count(this.get(node), -1)
    this.#count(knowledge, 1)
    return super.set(node, knowledge)
  }

  override delete(node: NodeName): boolean {
    this.#count(this.get(node), -1)
    return super.delete(node)
  }

  hasBelow(child: NodeName): boolean {
    return (this.#below.get(child) ?? 0) > 0
  }

  #count(knowledge: Knowledge | undefined, step: 1 | -1): void {
    if (knowledge === undefined || knowledge.via === knowledge.node) return
    const count = (this.#below.get(knowledge.via) ?? 0) + step
    if (count > 0) this.#below.set(knowledge.via, count)
    else this.#below.delete(knowledge.via)
  }
}

async function storedKnowledge(store: Store): Promise<Known> {
  const known = new Known()
  for await (const [key, value] of store.entries(knowledgeKey(''))) {
    const knowledge = parseKnowledge(value, `inbox, ${key}`)
    known.set(knowledge.node, knowledge)
  }
  return known
}

/** What is known in memory, and is in the store no more. */
async function missingFrom(
  stored: Pick<Store, 'entries'>,
  prefix: string,
  known: ReadonlyMap<NodeName, Knowledge>,
): Promise<Knowledge[]> {
  const missing = new Map(known)
  for await (const [key] of stored.entries(prefix)) missing.delete(key.slice(prefix.length))
  return [...missing.values()]
}

/**
 * The gist of a stored report whose own gist was lost. Which child handed it over is not known, and
 * is learned with the next report.
 */
function gistOf(signed: SignedReport, now: Instant): Knowledge {
  const report = reportIn(signed)
  const receivedAt = Math.min(now, report.at)
  return knowledgeOf(report, { digest: digestOf(payloadIn(signed)), receivedAt, via: signed.node })
}

/** A node of which nothing is left but its name. Its next report takes the place of this. */
function nameOnly(node: NodeName, now: Instant): Knowledge {
  return {
    ...{ node, counter: 0, digest: '0'.repeat(16), at: now, receivedAt: now, via: node, lost: true as const },
    ...{ version: '', arch: 'all', site: null, parent: null, revision: null, converged: null, state: 'pending' },
    ...{ packages: 0, failed: 0, drifted: 0, newer: 0, refusals: [], clockAheadMs: 0, attacks: 0, attackedAt: 0 },
    ...{ problems: 0, reboot: false, restarts: 0, crossings: [], worstTime: null },
  }
}

/** The key of the gist of a node's report: small, and all of them are read at the start. */
function knowledgeKey(node: NodeName | ''): string {
  return `knowledge/${node}`
}

/** The key of a node's signed report: large, and read when somebody asks for that node. */
function signedKey(node: NodeName | ''): string {
  return `signed/${node}`
}
