// The one function that changes a node's state. What each event means stands in the `*-events.ts`
// files beside it.

import { unreachable } from '../../model/failure.ts'
import { lineOf } from '../../model/line.ts'
import { attacksAfter } from './attacks.ts'
import { diskProbed, probeFor } from './disk-events.ts'
import type { Event, Next } from './events.ts'
import { applied, applyFailed, askedToApply, inspected, lookDue } from './machine-events.ts'
import { parentAnswered, parentLost } from './parent-events.ts'
import {
  desiring,
  loadFailed,
  manifestsLoaded,
  refreshed,
  refreshFailed,
  revisionLoaded,
  rolloutsLoaded,
} from './policy-events.ts'
import { withFailure, withoutProblem, withProblem } from './problems.ts'
import { reportsAccepted, reportsAnswered, reportsRefused } from './report-events.ts'
import type { ProblemSource, State } from './state.ts'

/**
 * The next state and what to do about it. Pure. An event that comes twice changes nothing the
 * second time.
 */
export function transition(state: State, event: Event): Next {
  switch (event.kind) {
    case 'started':
      return started(state, event)
    case 'earlier-finished':
      return [{ ...state, applying: false }, [{ kind: 'inspect' }]]
    case 'facts-collected':
      // A fact that could not be collected this time keeps its last value.
      return remembering(desiring({ ...state, facts: { ...state.facts, ...event.facts } }))
    case 'site-seen':
      // The desired state does not depend on what a tracker sees.
      return state.siteSeen === event.site
        ? [state, []]
        : remembering([{ ...state, siteSeen: event.site }, [{ kind: 'report' }]])
    case 'refreshed':
      return refreshed(state, event)
    case 'refresh-failed':
      return refreshFailed(state, event)
    case 'revision-loaded':
      return revisionLoaded(state, event)
    case 'rollouts-loaded':
      return rolloutsLoaded(state, event)
    case 'manifests-loaded':
      return manifestsLoaded(state, event)
    case 'load-failed':
      return loadFailed(state, event)
    case 'payload-arrived':
      return [
        withoutProblem(withoutProblem(state, 'transfer'), 'load'),
        [{ kind: 'hold' }, { kind: 'inspect' }, { kind: 'report' }],
      ]
    case 'holding-changed':
      return [state, [{ kind: 'announce' }]]
    case 'reach-changed':
      return [state, [{ kind: 'report' }]]
    case 'children-wanted':
      return [{ ...state, childrenWant: event.wanted }, [{ kind: 'hold' }]]
    case 'peer-met':
      return [state, [{ kind: 'check-peer', infoHash: event.infoHash, node: event.node }]]
    case 'peer-parted':
      return [state, [{ kind: 'note-parted', infoHash: event.infoHash, node: event.node }]]
    case 'reports-accepted':
      return reportsAccepted(state, event)
    case 'reports-refused':
      return reportsRefused(state, event)
    case 'reports-answered':
      return reportsAnswered(state, event)
    case 'inspected':
      return inspected(state, event)
    case 'inspect-failed':
      return [withFailure(state, 'inspect', event.failure), [{ kind: 'report' }, ...probeFor(event.failure)]]
    case 'applied':
      return applied(state, event)
    case 'rechecked':
      return [{ ...state, rechecking: false }, [{ kind: 'hold' }, { kind: 'inspect' }]]
    case 'apply-failed':
      return applyFailed(state, event)
    case 'parent-answered':
      return parentAnswered(state, event)
    case 'parent-lost':
      return parentLost(state, event)
    case 'attack-seen':
      return attackSeen(state, event)
    case 'attacks-acknowledged': {
      const acknowledged = { ...state.acknowledged, [event.node]: event.upTo }
      return remembering([{ ...state, acknowledged }, [{ kind: 'report' }]])
    }
    case 'transfer-failed':
      return [withProblem(state, 'transfer', `${event.name}: ${event.because}`), [{ kind: 'report' }]]
    case 'room-looked':
    case 'disk-looked':
    case 'children-judged':
    case 'database-looked':
    case 'revocations-looked':
    case 'siblings-looked':
    case 'clones-looked':
      return looked(state, lookedAt[event.kind], event)
    case 'store-failed':
      return [state, probeFor(event.failure)]
    case 'disk-probed':
      return diskProbed(state, event)
    case 'certificate-renewed':
      return [withoutProblem(state, 'certificate'), [{ kind: 'use-certificate' }, { kind: 'refresh' }]]
    case 'renewal-refused': {
      const { message, hint } = event.failure
      const text = `no new certificate: ${message}${hint === undefined ? '' : `: ${hint}`}`
      return [withProblem(state, 'certificate', lineOf(text)), [{ kind: 'report' }]]
    }
    case 'revocations-learned':
      return [state, [{ kind: 'tell-children' }]]
    case 'asked-to-apply':
      return askedToApply(state)
    case 'look-due':
      return lookDue(state, event)
    default:
      return unreachable(event)
  }
}

/** The problem that each of these events is about. */
const lookedAt = {
  'room-looked': 'room',
  'disk-looked': 'disk',
  'children-judged': 'children',
  'database-looked': 'database',
  'revocations-looked': 'revocations',
  'siblings-looked': 'siblings',
  'clones-looked': 'clones',
} as const

function started(state: State, event: Extract<Event, { kind: 'started' }>): Next {
  const { site, facts, reportedTo, reportedMemory = null, acknowledged = {} } = event.remembered
  return [
    {
      ...state,
      records: event.records,
      converged: event.converged,
      quarantine: event.quarantine,
      restarts: event.restarts ?? [],
      // An apply of a former daemon may still be running; `earlier-finished` says that none is.
      applying: true,
      siteSeen: site,
      facts,
      reportedTo,
      reportedMemory,
      acknowledged,
    },
    [{ kind: 'refresh' }, { kind: 'look-later', ms: state.checkIntervalMs }],
  ]
}

function attackSeen(state: State, event: Extract<Event, { kind: 'attack-seen' }>): Next {
  const attacks = attacksAfter(state.attacks, event.attack)
  return attacks === state.attacks ? [state, []] : [{ ...state, attacks }, [{ kind: 'report' }]]
}

function looked(state: State, source: ProblemSource, { problem }: { problem: string | null }): Next {
  if ((state.problems[source] ?? null) === problem) return [state, []]
  const next = problem === null ? withoutProblem(state, source) : withProblem(state, source, problem)
  return [next, [{ kind: 'report' }]]
}

/** Site, facts or parent may have changed, and the next start has to know them. */
function remembering([state, effects]: Next): Next {
  return [state, [...effects, { kind: 'remember' }]]
}
