// The calls of the local API that are answered with one JSON value.

import { distanceOf } from '../model/distance.ts'
import { Failure } from '../model/failure.ts'
import type { Knowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import type { AnswerOf } from '../model/local-api/calls.ts'
import type { MeasuredTransfer, NodeInfo } from '../model/local-api/nodes.ts'
import type { BodyOf } from '../model/local-api/requests.ts'
import type { RolloutInfo } from '../model/local-api/rollouts.ts'
import type { Status } from '../model/local-api/status.ts'
import { type NodeName, nodeNameSchema, type Sha256 } from '../model/names.ts'
import { own } from '../model/packages/records.ts'
import { parserOf } from '../model/parse.ts'
import type { Transfer } from '../model/report.ts'
import type { Rollouts } from '../release/rollouts/rollouts.ts'
import { refusedIn } from '../report/refusals.ts'
import { nodeInfoOf, subtreeStatusOf } from '../report/summary.ts'
import type { Scrubbed } from '../swarm/checking/scrub.ts'
import type { Reach } from '../swarm/siblings.ts'
import { identityOf } from '../trust/identity.ts'
import { type AnswerHandlers, type LocalApiParts, rootOf } from './local-handlers.ts'
import { rootProblems } from './root-problems.ts'
import { problemsOf } from './state/report-from.ts'
import { whyOf } from './state/why.ts'

export function answerHandlers(parts: LocalApiParts): AnswerHandlers {
  const { node } = parts
  return {
    'GET /status': () => statusNow(parts),
    'GET /nodes': () => ({ nodes: nodesKnown(parts) }),
    'GET /nodes/:name': ({ name }) => nodeDetails(parts, name),
    'POST /acknowledge/:name': ({ name }) => acknowledged(parts, name),
    'GET /packages': async () => ({ packages: await rootOf(parts).repository.packages() }),
    'GET /packages/:name': async ({ name }) => ({ versions: await rootOf(parts).repository.package(name) }),
    'GET /torrents/:name': async ({ name, query }) => {
      const { torrentOf } = await import('./torrents.ts')
      return await torrentOf(parts, { name, version: query['version'], arch: query['arch'], target: query['target'] })
    },
    'GET /check': () => node.check(),
    'GET /why/:name': ({ name }) => whyNow(parts, name),
    'POST /reload': async () => {
      const { changed, needRestart } = await node.reload()
      return { changed, needRestart }
    },
    'GET /plan': () => rootOf(parts).releasing.plan(),
    'POST /rollback/plan': ({ body }) => {
      const { releasing } = rootOf(parts)
      return releasing.plan({ rollbackTo: body('POST /rollback/plan').revision })
    },
    'GET /history': async () => ({ revisions: await rootOf(parts).releasing.history() }),
    'POST /diff': ({ body }) => {
      const { releasing } = rootOf(parts)
      const { from, to } = body('POST /diff')
      return releasing.diff(from, to)
    },
    'POST /tokens': async ({ body }) => {
      const { fleet, urls } = rootOf(parts)
      const { ttlMs, uses, parents, replaces } = body('POST /tokens')
      if (replaces !== undefined) refuseForRoot(parts, replaces, 'replaced')
      const wish = { ttlMs, uses, parents: parents ?? urls(), ...(replaces !== undefined && { replaces }) }
      return { token: await fleet.createToken(wish) }
    },
    'POST /revoke/:name': async ({ name }) => {
      const { fleet } = rootOf(parts)
      const node = parseNodeName(name, 'revoke')
      refuseForRoot(parts, node, 'revoked')
      await fleet.revoke(node, await keySeen(parts, node))
      return { node }
    },
    'GET /identity': () => ({ name: node.state().name, keyId: parts.identity.keyId() }),
    'POST /identity': async ({ body }) => {
      const { keyId } = body('POST /identity')
      await parts.identity.take(keyId)
      return { name: node.state().name, keyId }
    },
    'POST /recover': async () => ({ recovered: await rootOf(parts).releasing.recover() }),
    'POST /clock/confirm': async () => {
      const { fleet } = rootOf(parts)
      const wasInDoubt = fleet.clockDoubt() !== null
      fleet.confirmClock()
      return { wasInDoubt }
    },
    'GET /rollouts': async () => ({ rollouts: await rootOf(parts).rollouts.list() }),
    'POST /rollouts': ({ body }) => {
      const { rollouts } = rootOf(parts)
      return steered(rollouts, body('POST /rollouts'))
    },
  }
}

const parseNodeName = parserOf(nodeNameSchema)

function refuseForRoot({ node }: LocalApiParts, name: string, done: string): void {
  if (node.state().name !== name) return
  throw new Failure('conflict', `${name} is this root: it cannot be ${done}`, {
    hint: 'banyan nodes lists the other names',
  })
}

function steered(rollouts: Rollouts, steering: BodyOf<'POST /rollouts'>): Promise<RolloutInfo> {
  const { action, rollout, because } = steering
  if (action === 'resume') return rollouts.resume(rollout)
  if (action === 'advance') return rollouts.advance(rollout)
  const text = because === undefined ? 'by hand' : `by hand: ${because}`.slice(0, limits.textMaxChars)
  return rollouts.halt(rollout, text)
}

/** Of the machine as it is now, not as it was at the last look. */
async function whyNow({ node }: LocalApiParts, name: string): Promise<AnswerOf<'GET /why/:name'>> {
  const looked = await node.look()
  const state = node.state()
  const seen = looked === null ? state.seen : { ...looked, revision: looked.plan.revision }
  const desired = state.desired.find((each) => each.name === name)
  const payload = desired?.state === 'present' ? state.manifests?.get(desired.manifest)?.payload : undefined
  const transfer = payload?.via === 'swarm' ? node.swarm.transfer(payload.infoHash) : undefined
  return whyOf({ ...state, seen }, name, transfer ?? null)
}

/** The key that the newest report of a node is signed with. */
async function keySeen({ node }: LocalApiParts, name: NodeName): Promise<Sha256 | undefined> {
  const certificate = (await node.inbox.signed(name))?.certificate ?? null
  const identity = certificate === null ? undefined : identityOf(Buffer.from(certificate, 'base64'))
  return identity?.role === 'node' && identity.name === name ? identity.keyId : undefined
}

/** The nodes of the subtree whose reports are here, this node among them. */
function nodesKnown(parts: LocalApiParts): NodeInfo[] {
  const { node, clock } = parts
  const revision = node.state().revision?.body.number ?? null
  const [known, now] = [knownHere(parts), clock.now()]
  const refused = refusedIn(known, now)
  return known.map((knowledge) => nodeInfoOf(knowledge, now, revision, refused))
}

/** Without the attacks that a person has looked at. */
function knownHere({ node }: LocalApiParts): Knowledge[] {
  const { acknowledged } = node.state()
  return node.inbox
    .knowledge()
    .map((each) => (each.attackedAt <= (own(acknowledged, each.node) ?? 0) ? { ...each, attacks: 0 } : each))
}

function acknowledged(parts: LocalApiParts, name: string): AnswerOf<'POST /acknowledge/:name'> {
  const found = knownNamed(parts, name)
  parts.node.acknowledge(found.node, found.attackedAt)
  return { node: found.node, attacks: found.attacks }
}

function knownNamed(parts: LocalApiParts, name: string): NodeInfo {
  const found = nodesKnown(parts).find((info) => info.node === name)
  if (found !== undefined) return found
  throw new Failure('not-found', `node ${name}: no report of it here`, { hint: 'see `banyan nodes`' })
}

async function nodeDetails(parts: LocalApiParts, name: string): Promise<AnswerOf<'GET /nodes/:name'>> {
  const found = knownNamed(parts, name)
  const report = await parts.node.inbox.report(found.node)
  return { ...found, report, distances: newestDistances(report?.transfers ?? []) }
}

function statusNow(parts: LocalApiParts): Status {
  const { node, clock } = parts
  const { name, revision, link, applying } = node.state()
  return {
    ...subtreeStatusOf({
      self: name,
      revision: revision?.body.number ?? null,
      knowledge: knownHere(parts),
      now: clock.now(),
    }),
    self: nodesKnown(parts).find((info) => info.node === name) ?? null,
    link,
    applying,
    problems: [...rootProblems(parts.root?.fleet ?? null), ...problemsOf(node.state(), node.swarm.transfers())],
    payloads: { whole: node.swarm.whole().size, unfinished: node.swarm.unfinished().length },
    scrub: scrubOf(node.swarm.scrubbed()),
    ...(parts.engineRights !== undefined && { engine: parts.engineRights() }),
    siblings: siblingsOf(node.swarm.siblings()),
    transfers: node.swarm.transfers().map((each) => ({ ...each, distance: distanceOf(each) })),
    rates: node.rates(),
    heldBack: node.heldBack(),
  }
}

function scrubOf({ oldest, mending, damagedPieces }: Scrubbed): NonNullable<Status['scrub']> {
  return { oldest, mending: mending.length, damagedPieces }
}

function siblingsOf({ reached, unreached }: Reach): NonNullable<Status['siblings']> {
  return { reached, unreached: [...unreached] }
}

/** Of the transfers that completed last, the newest first, at most `limits.distancesShown`. */
function newestDistances(transfers: readonly Transfer[]): MeasuredTransfer[] {
  return transfers
    .flatMap((transfer) => {
      const { infoHash, name, version, size, completedAt, linkRate = null } = transfer
      const distance = distanceOf(transfer)
      return distance === null ? [] : { infoHash, name, version, size, completedAt, linkRate, ...distance }
    })
    .sort((a, b) => (b.completedAt ?? 0) - (a.completedAt ?? 0))
    .slice(0, limits.distancesShown)
}
