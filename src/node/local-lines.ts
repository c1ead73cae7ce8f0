// The calls of the local API that are answered line by line, while the daemon works.

import { Failure } from '../model/failure.ts'
import type { ApplyLine } from '../model/local-api/machine.ts'
import type { PublishLine } from '../model/local-api/packages.ts'
import type { ReleaseLine } from '../model/local-api/releasing.ts'
import { isComing } from '../reconcile/plan.ts'
import { linesOf } from '../work/line-stream.ts'
import type { RunningNode } from './daemon.ts'
import { type LineHandlers, type LocalApiParts, rootOf } from './local-handlers.ts'
import { type Check, checkFrom } from './state/check.ts'
import { actionsReady } from './state/ready.ts'
import type { State } from './state/state.ts'

export function lineHandlers(parts: LocalApiParts): LineHandlers {
  return {
    'POST /publish': ({ body, signal }) => {
      const { releasing } = rootOf(parts)
      const { path, ...options } = body('POST /publish')
      return linesOf<PublishLine>(async (send) => {
        send({ published: await releasing.publish(path, { ...options, onProgress: send, signal }) })
      })
    },
    'POST /release': ({ body }) => {
      const { releasing } = rootOf(parts)
      const options = body('POST /release')
      return linesOf<ReleaseLine>(async (send) => {
        send({ released: await releasing.release({ ...options, onStep: (step) => send({ step }) }) })
      })
    },
    'POST /rollback': ({ body }) => {
      const { releasing } = rootOf(parts)
      const options = body('POST /rollback')
      return linesOf<ReleaseLine>(async (send) => {
        send({ released: await releasing.rollback({ ...options, onStep: (step) => send({ step }) }) })
      })
    },
    'POST /apply': ({ signal }) => applyLines(parts.node, signal),
  }
}

/**
 * Looks at the machine again and sends each change, until no difference is left or the attempt has
 * failed. Throws an `unreachable` Failure if something that an action waits for cannot be had now,
 * and a `program-failed` Failure if the machine cannot be looked at.
 */
async function* applyLines(node: RunningNode, signal: AbortSignal): AsyncIterable<ApplyLine> {
  let wake = () => {}
  const stopListening = node.onChange(() => wake())
  signal.addEventListener('abort', () => wake())
  try {
    await node.applyNow()
    let sent = ''
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve
      })
      const state = node.state()
      const progress = { applying: state.applying, ...lastLookOf(node) }
      const text = JSON.stringify(progress)
      if (text !== sent) yield { progress }
      sent = text
      throwIfNotLooked(state)
      if (isSettled(state, lastLookOf(node)) || signal.aborted) break
      throwIfBlocked(state)
      await changed
    }
    yield { outcomes: node.state().outcomes }
  } finally {
    stopListening()
  }
}

function lastLookOf(node: RunningNode): Check {
  const { seen, revision, outcomes } = node.state()
  const looked = seen !== null && seen.revision === revision?.body.number
  return checkFrom(node.state(), looked ? { ...seen, kept: outcomes } : null)
}

/** Whether there is nothing that an apply does, will do, or waits for. */
function isSettled(state: State, { looked }: Check): boolean {
  return looked && !state.applying && coming(state).length === 0 && actionsReady(state).length === 0
}

/** Throws if the machine could not be looked at: then nobody knows what is to be done. */
function throwIfNotLooked({ applying, problems }: State): void {
  if (applying || problems.inspect === undefined) return
  throw new Failure('program-failed', `this machine could not be looked at: ${problems.inspect}`, { retry: 'later' })
}

/** Throws if only what is on its way is left, and it cannot arrive now. */
function throwIfBlocked(state: State): void {
  if (coming(state).length === 0 || state.applying || actionsReady(state).length > 0) return
  const { link, problems } = state
  const because =
    problems.load ?? problems.room ?? problems.transfer ?? (link.kind === 'island' ? link.because : undefined)
  if (because === undefined) return
  const names = coming(state).map((each) => each.name)
  throw new Failure('unreachable', `${names.join(', ')} cannot be had now: ${because}`, { retry: 'later' })
}

/** Actions whose manifest, payload or dependency is on its way. */
function coming({ seen }: State) {
  return seen?.plan.waiting.filter(isComing) ?? []
}
