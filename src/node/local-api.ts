// What the daemon answers on its own machine, to the commands of `banyan`, over a unix socket that only its owner opens.

import * as v from 'valibot'
import { distanceOf } from '../model/distance.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { lineSchema, packageNameSchema, packageVersionSchema } from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import type { Transfer } from '../model/report.ts'
import { parentUrlSchema } from '../model/settings.ts'
import { isComing } from '../reconcile/plan.ts'
import { openMetricsType } from '../report/open-metrics.ts'
import { type NodeInfo, nodeInfoOf, statusOf } from '../report/summary.ts'
import type { Repository } from '../repository/repository.ts'
import type { Fleet } from '../trust/fleet.ts'
import { linesOf } from '../work/line-stream.ts'
import type { LocalRequest, LocalResponse } from '../world/local.ts'
import type { Clock } from '../world/world.ts'
import type { RunningNode } from './daemon.ts'
import type { PlainEndpoint } from './plain.ts'
import { type Check, checkFrom } from './state/check.ts'
import { actionsReady } from './state/ready.ts'
import { problemsOf } from './state/report-from.ts'
import type { State } from './state/state.ts'
import { type Why, whyOf } from './state/why.ts'

export interface LocalApiParts {
  clock: Clock
  node: RunningNode
  /** Null where ordinary clients are not let in. */
  plain: PlainEndpoint | null
  root: { fleet: Fleet; repository: Repository; urls: () => string[] } | null
}

const parsePublish = parserOf(
  v.strictObject({
    path: v.string(),
    name: v.exactOptional(packageNameSchema),
    version: v.exactOptional(packageVersionSchema),
  }),
)
const parseRelease = parserOf(
  v.strictObject({
    message: lineSchema,
    allowRemovals: v.boolean(),
    allowMissing: v.optional(v.boolean(), false),
  }),
)
const revisionSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
const parseRollback = parserOf(
  v.strictObject({ revision: revisionSchema, message: lineSchema, allowRemovals: v.boolean() }),
)
const parseRollbackPlan = parserOf(v.strictObject({ revision: revisionSchema }))
const parseDiff = parserOf(v.strictObject({ from: revisionSchema, to: revisionSchema }))
const parseSteering = parserOf(
  v.strictObject({
    rollout: lineSchema,
    action: v.picklist(['halt', 'resume', 'advance']),
    because: v.exactOptional(lineSchema),
  }),
)
const parseToken = parserOf(
  v.strictObject({
    ttlMs: v.pipe(v.number(), v.integer(), v.minValue(1000), v.maxValue(365 * 24 * 3600_000)),
    uses: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(limits.tokenUsesMax)),
    parents: v.exactOptional(v.pipe(v.array(parentUrlSchema), v.minLength(1), v.maxLength(16))),
  }),
)

export function openLocalApi(parts: LocalApiParts): (request: LocalRequest) => Promise<LocalResponse> {
  const { node, clock } = parts
  const rootOnly = () => {
    const { releasing, rollouts } = node
    if (parts.root !== null && releasing !== null && rollouts !== null) return { ...parts.root, releasing, rollouts }
    throw new Failure('unsupported', 'only a root does that', { hint: 'run it on the root, with its --home' })
  }
  return async (request) => {
    const body = () => parseJson(request.body, request.path)
    const call = `${request.method} ${request.path}`
    switch (call) {
      case 'GET /status':
        return ok(statusNow(node, clock))
      case 'GET /metrics':
        return { status: 200, text: await node.metrics(), contentType: openMetricsType }
      case 'GET /nodes':
        return ok({ nodes: nodesOf(node, clock) })
      case 'GET /packages':
        return ok({ packages: await rootOnly().repository.packages() })
      case 'GET /check':
        return ok(await node.check())
      case 'GET /rollouts':
        return ok({ rollouts: await rootOnly().rollouts.list() })
      case 'POST /rollouts': {
        const { rollouts } = rootOnly()
        const { rollout, action, because } = parseSteering(body(), 'rollout')
        if (action === 'halt') return ok(await rollouts.halt(rollout, haltText(because)))
        return ok(await (action === 'resume' ? rollouts.resume(rollout) : rollouts.advance(rollout)))
      }
      case 'GET /plan':
        return ok(await rootOnly().releasing.plan())
      case 'POST /rollback/plan': {
        const { revision } = parseRollbackPlan(body(), 'rollback')
        return ok(await rootOnly().releasing.plan({ rollbackTo: revision }))
      }
      case 'POST /rollback': {
        const { releasing } = rootOnly()
        const options = parseRollback(body(), 'rollback')
        return {
          status: 200,
          lines: linesOf(async (say) => {
            say({ released: await releasing.rollback({ ...options, onStep: (step) => say({ step }) }) })
          }),
        }
      }
      case 'GET /history':
        return ok({ revisions: await rootOnly().releasing.history() })
      case 'POST /diff': {
        const { from, to } = parseDiff(body(), 'diff')
        return ok(await rootOnly().releasing.diff(from, to))
      }
      case 'POST /reload': {
        const { changed, needRestart } = await node.reload()
        return ok({ changed, needRestart })
      }
      case 'POST /apply':
        return { status: 200, lines: applyLines(node, request.signal) }
      case 'POST /tokens': {
        const { fleet, urls } = rootOnly()
        const { ttlMs, uses, parents } = parseToken(body(), 'token create')
        return ok({ token: await fleet.createToken({ ttlMs, uses, parents: parents ?? urls() }) })
      }
      case 'POST /publish': {
        const { releasing } = rootOnly()
        const { path, ...options } = parsePublish(body(), 'publish')
        return {
          status: 200,
          lines: linesOf(async (say) => {
            say({ published: await releasing.publish(path, { ...options, onProgress: say }) })
          }),
        }
      }
      case 'POST /release': {
        const { releasing } = rootOnly()
        const options = parseRelease(body(), 'release')
        return {
          status: 200,
          lines: linesOf(async (say) => {
            say({ released: await releasing.release({ ...options, onStep: (step) => say({ step }) }) })
          }),
        }
      }
    }
    const [, room, name] = /^GET \/(nodes|packages|why|torrents)\/([^/]+)$/.exec(call) ?? []
    if (room === 'torrents') {
      const { version, arch } = request.query
      const { torrentOf } = await import('./torrents.ts')
      return ok(await torrentOf(parts, { name: decodeURIComponent(name ?? ''), version, arch }))
    }
    if (room === 'why') return ok(await whyNow(node, decodeURIComponent(name ?? '')))
    if (room === 'packages')
      return ok({ versions: await rootOnly().repository.package(decodeURIComponent(name ?? '')) })
    if (room === 'nodes') {
      const found = nodesOf(node, clock).find((info) => info.node === name)
      if (found === undefined) {
        throw new Failure('not-found', `node ${name}: no report of it here`, { hint: 'see `banyan nodes`' })
      }
      const report = await node.inbox.report(found.node)
      return ok({ ...found, report, distances: newestDistances(report?.transfers ?? []) })
    }
    throw new Failure('not-found', `no such call: ${call}`)
  }
}

/** Of the machine as it is now, not as it was at the last look. */
async function whyNow(node: RunningNode, name: string): Promise<Why> {
  const looked = await node.look()
  const state = node.state()
  const seen = looked === null ? state.seen : { ...looked, revision: looked.plan.revision }
  const desired = state.desired.find((each) => each.name === name)
  const payload = desired?.state === 'present' ? state.manifests?.get(desired.manifest)?.payload : undefined
  const transfer = payload?.via === 'swarm' ? node.swarm.transfer(payload.infoHash) : undefined
  return whyOf({ ...state, seen }, name, transfer ?? null)
}

/** Nodes as known here, this node among them. */
function nodesOf(node: RunningNode, clock: Clock): NodeInfo[] {
  const revision = node.state().revision?.body.number ?? null
  return node.inbox.knowledge().map((knowledge) => nodeInfoOf(knowledge, clock.now(), revision))
}

function statusNow(node: RunningNode, clock: Clock) {
  const { name, revision, link, applying } = node.state()
  return {
    ...statusOf({
      self: name,
      revision: revision?.body.number ?? null,
      knowledge: node.inbox.knowledge(),
      now: clock.now(),
    }),
    self: nodesOf(node, clock).find((info) => info.node === name) ?? null,
    link,
    applying,
    problems: problemsOf(node.state(), node.swarm.transfers()),
    payloads: { whole: node.swarm.whole().size, unfinished: node.swarm.unfinished().length },
    transfers: node.swarm.transfers().map((each) => ({ ...each, distance: distanceOf(each) })),
    rates: node.rates(),
    heldBack: node.heldBack(),
  }
}

/** Of the transfers that were complete last, the newest first. */
function newestDistances(transfers: readonly Transfer[]) {
  return transfers
    .flatMap((transfer) => {
      const { infoHash, name, version, size, completedAt, linkRate = null } = transfer
      const distance = distanceOf(transfer)
      return distance === null ? [] : { infoHash, name, version, size, completedAt, linkRate, ...distance }
    })
    .sort((a, b) => (b.completedAt ?? 0) - (a.completedAt ?? 0))
    .slice(0, limits.distancesShown)
}

function haltText(because: string | undefined): string {
  return because === undefined ? 'by hand' : `by hand: ${because}`.slice(0, limits.textMaxChars)
}

function lastLookOf(node: RunningNode): Check {
  const { seen, revision } = node.state()
  const looked = seen !== null && seen.revision === revision?.body.number
  return checkFrom(node.state(), looked ? seen : null)
}

/** Looks again, and says what changes until there is no difference or the try has failed. */
async function* applyLines(node: RunningNode, signal: AbortSignal): AsyncIterable<unknown> {
  let wake = () => {}
  const stopListening = node.onChange(() => wake())
  signal.addEventListener('abort', () => wake())
  try {
    await node.applyNow()
    let said = ''
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve
      })
      const state = node.state()
      const line = JSON.stringify({ progress: { applying: state.applying, ...lastLookOf(node) } })
      if (line !== said) yield JSON.parse(line)
      said = line
      const coming = state.seen?.plan.waiting.filter(isComing) ?? []
      const isWaiting = coming.length > 0
      const isSettled = lastLookOf(node).looked && !state.applying && !isWaiting && actionsReady(state).length === 0
      if (isSettled || signal.aborted) break
      const blocked = isWaiting && !state.applying && actionsReady(state).length === 0 ? blockedBy(state) : undefined
      if (blocked !== undefined) {
        const names = coming.map((each) => each.name).join(', ')
        throw new Failure('unreachable', `${names} cannot be had now: ${blocked}`, { retry: 'later' })
      }
      await changed
    }
    yield { outcomes: node.state().outcomes }
  } finally {
    stopListening()
  }
}

function blockedBy({ link, problems }: State): string | undefined {
  return problems.load ?? problems.room ?? problems.transfer ?? (link.kind === 'island' ? link.because : undefined)
}

function ok(json: unknown): LocalResponse {
  return { status: 200, json }
}
