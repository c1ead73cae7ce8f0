// Which holdings are open, decided with plain values: no engine, no timers.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { InfoHash } from '../../src/model/names.ts'
import { type Holding, newHolding } from '../../src/swarm/holdings/holding.ts'
import { createHoldingsIndex } from '../../src/swarm/holdings/holdings-index.ts'
import type { OpeningEffect, OpeningEvent, Stage, Surroundings } from '../../src/swarm/opening-events.ts'
import { emptyTable, transition } from '../../src/swarm/opening-table.ts'
import { payloadFrom } from './kit.ts'

const engineIdleMs = 10_000
const [one, two] = [holdingFrom('one'), holdingFrom('two')]
const a = one.spec.payload.infoHash
const metainfo = new Uint8Array([1])

t.test('a wanted holding is loaded once the engine runs, and opened once it is loaded', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  t.same(kindsOf(table.after({ kind: 'look' })), ['need-engine', 'look-again'])
  t.same(kindsOf(table.running()), ['introduce', 'need-engine', 'load', 'look-again'])
  t.equal(table.stage(a), 'loading')
  t.match(table.after({ kind: 'loaded', infoHash: a, metainfo })[0], { kind: 'open', metainfo, background: false })
  t.equal(table.stage(a), 'open')
})

t.test('looking twice equals looking once', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  const before = table.state()
  t.same(kindsOf(table.after({ kind: 'look' })), ['need-engine', 'look-again'])
  t.same(table.state(), before)
})

t.test('of two loads of one holding only the first opens it', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  table.after({ kind: 'engine-crashed' })
  table.running()
  t.ok(kindsOf(table.after({ kind: 'loaded', infoHash: a, metainfo })).includes('open'))
  t.same(table.after({ kind: 'loaded', infoHash: a, metainfo }), [])
})

t.test('a holding that is loaded after the engine has gone is not opened', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  table.engine = 'waiting'
  t.same(table.after({ kind: 'loaded', infoHash: a, metainfo }), [])
})

t.test('a holding without metainfo is closed again, with the reason', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  t.same(table.after({ kind: 'loaded', infoHash: a, metainfo: undefined }), [
    { kind: 'closed', infoHash: a },
    { kind: 'not-opened', infoHash: a, because: `no metainfo of ${a}` },
  ])
  t.equal(table.stage(a), undefined)
})

t.test('a holding that is not wanted any longer once it is loaded is closed at once', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  table.set({ ...one, wanted: false })
  const effects = table.after({ kind: 'loaded', infoHash: a, metainfo })
  t.same(kindsOf(effects), ['open', 'send', 'look-again'])
  t.same(effects[1], { kind: 'send', command: { kind: 'close', infoHash: a } })
  t.equal(table.stage(a), 'closing')
})

t.test('a whole holding sleeps until it is called, and again once nobody has used it for a while', async (t) => {
  const table = tableWith(whole(one))
  t.notOk(kindsOf(table.running()).includes('load'))
  t.ok(kindsOf(table.after({ kind: 'called', infoHash: a })).includes('load'))
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  table.after({ kind: 'busy', infoHash: a, busy: true })
  table.nowMs += limits.holdingIdleMs
  t.notOk(isClosing(table.after({ kind: 'look' })), 'it is busy')
  const idle = table.after({ kind: 'busy', infoHash: a, busy: false })
  t.same(idle.at(-1), { kind: 'look-again', afterMs: limits.holdingIdleMs + 1 })
  table.nowMs += limits.holdingIdleMs
  t.ok(isClosing(table.after({ kind: 'look' })))
  table.after({ kind: 'call-expired', infoHash: a })
  t.notOk(kindsOf(table.after({ kind: 'closed', infoHash: a, isAwaited: false })).includes('load'))
  t.equal(table.state().uses.size, 0)
})

t.test('a whole holding that is called while it closes is opened again', async (t) => {
  const table = tableWith(whole(one))
  table.running()
  table.after({ kind: 'called', infoHash: a })
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  table.nowMs += limits.holdingIdleMs
  t.ok(isClosing(table.after({ kind: 'look' })))
  t.notOk(kindsOf(table.after({ kind: 'called', infoHash: a })).includes('load'), 'not before it has closed')
  t.ok(kindsOf(table.after({ kind: 'closed', infoHash: a, isAwaited: false })).includes('load'))
})

t.test('a holding that an ordinary client waits for is opened again', async (t) => {
  const table = tableWith(whole(one))
  table.running()
  table.after({ kind: 'used', infoHash: a })
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  table.nowMs += limits.holdingIdleMs
  t.ok(isClosing(table.after({ kind: 'look' })))
  table.after({ kind: 'used', infoHash: a })
  t.ok(kindsOf(table.after({ kind: 'closed', infoHash: a, isAwaited: true })).includes('load'))
})

t.test('callers are refused when their wait ends and the holding is not open, sooner if nobody knows it', async (t) => {
  const table = tableWith(one)
  table.running()
  const refused = [{ kind: 'send', command: { kind: 'refuse', infoHash: a } }]
  const waitMs = (infoHash: InfoHash) => {
    const expiring = table.after({ kind: 'called', infoHash }).find(({ kind }) => kind === 'expire-call')
    return expiring?.kind === 'expire-call' ? expiring.afterMs : undefined
  }
  t.equal(waitMs(a), limits.callerWaitMs)
  t.equal(waitMs('unknown'), limits.unknownCallerWaitMs)
  t.same(table.after({ kind: 'call-expired', infoHash: a }), refused)
  table.set({ ...one, wanted: true })
  table.after({ kind: 'called', infoHash: a })
  t.same(table.after({ kind: 'call-expired', infoHash: a }), [], 'it is being opened')
})

t.test('however long an engine takes to start, the holding that it was started for is opened', async (t) => {
  const table = tableWith(whole(one))
  table.after({ kind: 'called', infoHash: a })
  table.nowMs += 10 * limits.holdingIdleMs
  t.ok(kindsOf(table.running()).includes('load'))
})

t.test('an engine without work ends when its time is over, and not before', async (t) => {
  const table = tableWith(one)
  t.same(table.running().at(-1), { kind: 'look-again', afterMs: engineIdleMs + 1 })
  table.nowMs += engineIdleMs - 1
  t.notOk(kindsOf(table.after({ kind: 'look' })).includes('end-engine'))
  table.after({ kind: 'engine-needed' })
  table.nowMs += engineIdleMs - 1
  t.notOk(kindsOf(table.after({ kind: 'look' })).includes('end-engine'))
  table.nowMs += 1
  t.ok(kindsOf(table.after({ kind: 'look' })).includes('end-engine'))
})

t.test('callers who wait have an engine started and kept', async (t) => {
  const table = tableWith(one)
  table.callersWaiting = 1
  t.ok(kindsOf(table.after({ kind: 'look' })).includes('need-engine'))
  table.nowMs += 2 * engineIdleMs
  table.engine = 'running'
  t.notOk(kindsOf(table.after({ kind: 'look' })).includes('end-engine'))
})

t.test('an engine that crashes leaves in doubt the holdings that it had open, and closes all', async (t) => {
  const table = tableWith({ ...one, wanted: true }, { ...two, wanted: true })
  table.running()
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  const b = two.spec.payload.infoHash
  t.same(table.after({ kind: 'engine-crashed' }), [
    { kind: 'unsure', infoHash: a },
    { kind: 'closed', infoHash: a },
    { kind: 'closed', infoHash: b },
    { kind: 'forget-clients' },
  ])
  t.same([table.stage(a), table.stage(b)], [undefined, undefined])
})

t.test('an engine that ended in order leaves no doubt, and starts again for what is wanted', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  table.engine = 'none'
  const effects = table.after({ kind: 'engine-gone' })
  t.same(kindsOf(effects), ['closed', 'forget-clients', 'need-engine', 'look-again'])
})

t.test('a failed holding is tried again when its wait is over, if it is wanted', async (t) => {
  const failed: Holding = { ...one, wanted: true, progress: { kind: 'failed', because: 'x', retryAtMs: 5_000 } }
  const table = tableWith(failed)
  table.engine = 'running'
  t.same(table.after({ kind: 'look' }).at(-1), { kind: 'look-again', afterMs: 5_001 })
  table.nowMs = 5_000
  t.same(kindsOf(table.after({ kind: 'look' })).slice(0, 3), ['retry', 'need-engine', 'load'])
  const paused = tableWith({ ...failed, wanted: false })
  paused.nowMs = 5_000
  t.same(paused.after({ kind: 'look' }), [{ kind: 'look-again', afterMs: null }])
})

t.test('a report that a holding failed ends its use', async (t) => {
  const table = tableWith(whole(one))
  table.after({ kind: 'busy', infoHash: a, busy: true })
  t.same(table.after({ kind: 'failed', infoHash: a }), [])
  t.equal(table.state().uses.size, 0)
})

t.test('a holding stays closed while its files are worked on', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  t.ok(isClosing(table.after({ kind: 'keep-closed', infoHash: a })))
  t.notOk(kindsOf(table.after({ kind: 'closed', infoHash: a, isAwaited: false })).includes('load'))
  t.ok(kindsOf(table.after({ kind: 'let-open', infoHash: a })).includes('load'))
})

t.test('a handout is dialled where the holding is open, and otherwise wakes a whole one', async (t) => {
  const peer = { node: 'peer', address: '10.0.0.2', port: 7421, relation: 'sibling' as const, site: null }
  const open = tableWith({ ...one, wanted: true })
  open.running()
  open.after({ kind: 'loaded', infoHash: a, metainfo })
  for (const peers of [[peer], []]) {
    t.same(open.after({ kind: 'handed-out', infoHash: a, peers }), [{ kind: 'dial', infoHash: a, peers }])
  }
  const asleep = tableWith(whole(one))
  asleep.running()
  t.same(asleep.after({ kind: 'handed-out', infoHash: a, peers: [] }), [], 'nobody is to be fed')
  t.ok(kindsOf(asleep.after({ kind: 'handed-out', infoHash: a, peers: [peer] })).includes('load'))
  const unwanted = tableWith(one)
  t.same(unwanted.after({ kind: 'handed-out', infoHash: a, peers: [peer] }), [])
})

t.test('a wire is cut only where the holding is open', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  t.same(table.after({ kind: 'part', infoHash: a, node: 'peer' }), [])
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  const command = { kind: 'part', infoHash: a, node: 'peer' }
  t.same(table.after({ kind: 'part', infoHash: a, node: 'peer' }), [{ kind: 'send', command }])
})

t.test('the engine learns of a manifest in the background once, and of no other change', async (t) => {
  const table = tableWith({ ...one, wanted: true }, { ...two, wanted: true })
  table.running()
  const background = new Set([one.spec.manifest])
  const command = { kind: 'background', infoHash: a, background: true }
  t.same(table.after({ kind: 'background', manifests: background }), [{ kind: 'send', command }])
  t.same(table.after({ kind: 'background', manifests: new Set(background) }), [])
  t.match(table.after({ kind: 'loaded', infoHash: a, metainfo })[0], { kind: 'open', background: true })
})

t.test('once stopped nothing is opened, closed or ended any more', async (t) => {
  const table = tableWith({ ...one, wanted: true })
  table.running()
  table.after({ kind: 'loaded', infoHash: a, metainfo })
  table.after({ kind: 'stopped' })
  table.nowMs += 2 * engineIdleMs
  table.set({ ...one, wanted: false })
  t.same(table.after({ kind: 'look' }), [])
  t.same(kindsOf(table.after({ kind: 'closed', infoHash: a, isAwaited: false })), ['closed'], 'its last reports count')
})

t.test('whatever happens, the engine opens no holding twice and closes none that is not open', async () => {
  const infoHashes = [one, two].map(({ spec }) => spec.payload.infoHash)
  const infoHash = fc.constantFrom(...infoHashes)
  const happens = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(2 * engineIdleMs) }),
    fc.record({ kind: fc.constant('engine' as const), engine: fc.constantFrom('none' as const, 'running' as const) }),
    fc.record({ kind: fc.constant('want' as const), infoHash, wanted: fc.boolean() }),
    fc.record({ kind: fc.constant('complete' as const), infoHash }),
    fc.record({ kind: fc.constantFrom('called' as const, 'used' as const, 'call-expired' as const), infoHash }),
    fc.record({ kind: fc.constantFrom('keep-closed' as const, 'let-open' as const, 'failed' as const), infoHash }),
    fc.record({ kind: fc.constant('busy' as const), infoHash, busy: fc.boolean() }),
    fc.record({ kind: fc.constant('loaded' as const), infoHash, metainfo: fc.constantFrom(metainfo, undefined) }),
    fc.record({ kind: fc.constant('engine closes' as const), infoHash }),
  )
  fc.assert(
    fc.property(fc.array(happens, { maxLength: 60 }), (steps) => {
      const table = tableWith(one, two)
      const open = new Set<InfoHash>()
      const carriedOut = (effects: OpeningEffect[]) => {
        for (const effect of effects) {
          if (effect.kind === 'open') {
            const opened = effect.holding.spec.payload.infoHash
            if (open.has(opened)) throw new Error('opened twice')
            open.add(opened)
          }
          if (effect.kind === 'send' && effect.command.kind === 'close' && !open.has(effect.command.infoHash)) {
            throw new Error('closed what is not open')
          }
          if (effect.kind === 'end-engine' && open.size > 0) throw new Error('ended with open holdings')
        }
      }
      for (const step of steps) {
        if (step.kind === 'pass') table.nowMs += step.ms
        else if (step.kind === 'want') table.change(step.infoHash, { wanted: step.wanted })
        else if (step.kind === 'complete') table.change(step.infoHash, { progress: { kind: 'complete' } })
        else if (step.kind === 'engine') {
          if (step.engine === table.engine) continue
          table.engine = step.engine
          if (step.engine === 'none') open.clear()
          carriedOut(table.after({ kind: step.engine === 'running' ? 'engine-running' : 'engine-gone' }))
        } else if (step.kind === 'engine closes') {
          if (table.stage(step.infoHash) !== 'closing') continue
          open.delete(step.infoHash)
          carriedOut(table.after({ kind: 'closed', infoHash: step.infoHash, isAwaited: false }))
        } else carriedOut(table.after(step))
        carriedOut(table.after({ kind: 'look' }))
        for (const each of infoHashes) {
          const has = table.stage(each) === 'open' || table.stage(each) === 'closing'
          if (has !== open.has(each)) throw new Error('the table and the engine disagree')
        }
      }
    }),
    { numRuns: 300 },
  )
})

function holdingFrom(name: string): Holding {
  const { metainfo: _, ...spec } = payloadFrom(name, { size: 10 }).spec
  return newHolding(spec)
}

function whole(holding: Holding): Holding {
  return { ...holding, progress: { kind: 'complete' } }
}

function kindsOf(effects: readonly OpeningEffect[]): OpeningEffect['kind'][] {
  return effects.map(({ kind }) => kind)
}

function isClosing(effects: readonly OpeningEffect[]): boolean {
  return effects.some((effect) => effect.kind === 'send' && effect.command.kind === 'close')
}

/** A table with these holdings, at time 0 and without an engine. */
function tableWith(...held: readonly Holding[]) {
  const holdings = createHoldingsIndex()
  for (const holding of held) holdings.set(holding)
  let state = emptyTable
  const table = {
    nowMs: 0,
    engine: 'none' as Surroundings['engine'],
    callersWaiting: 0,
    state: () => state,
    stage: (infoHash: InfoHash): Stage | undefined => state.stages.get(infoHash),
    set: (holding: Holding) => holdings.set(holding),
    change: (infoHash: InfoHash, changes: Partial<Holding>) => {
      const holding = holdings.get(infoHash)
      if (holding !== undefined) holdings.set({ ...holding, ...changes })
    },
    after: (event: OpeningEvent): OpeningEffect[] => {
      const { nowMs, engine, callersWaiting } = table
      const [next, effects] = transition(state, event, { nowMs, engine, callersWaiting, holdings, engineIdleMs })
      state = next
      return effects
    },
    running: () => {
      table.engine = 'running'
      return table.after({ kind: 'engine-running' })
    },
  }
  return table
}
