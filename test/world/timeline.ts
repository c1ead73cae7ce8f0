// Virtual time: a queue of events. Each event runs once everything that the one before started has
// settled.

import { createHook } from 'node:async_hooks'
import type { Timer } from '../../src/world/world.ts'

export interface Timeline {
  /** Milliseconds since the simulation began. */
  nowMs(): number
  at(ms: number, callback: () => void): Timer
  /** Resolves when no promise is left that can settle before time passes. */
  settle(): Promise<void>
  /**
   * Runs the next event if it is due by then, and returns whether there was one. Call `settle`
   * before.
   */
  step(untilMs: number): boolean
  /** Moves the time forward. No event may be due before. */
  skipTo(ms: number): void
  /** How many events there were. */
  steps(): number
}

interface Event {
  ms: number
  order: number
  callback: (() => void) | undefined
}

export function createTimeline(): Timeline {
  const queue: Event[] = []
  let now = 0
  let order = 0
  let steps = 0
  return {
    nowMs: () => now,
    at(ms, callback) {
      order += 1
      const event: Event = { ms: Math.max(ms, now), order, callback }
      push(queue, event)
      return {
        cancel: () => {
          event.callback = undefined
        },
      }
    },
    settle,
    step(untilMs) {
      for (;;) {
        const next = queue[0]
        if (next === undefined || next.ms > untilMs) return false
        pop(queue)
        if (next.callback === undefined) continue
        now = next.ms
        steps += 1
        next.callback()
        return true
      }
    },
    skipTo(ms) {
      now = Math.max(now, ms)
    },
    steps: () => steps,
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.ms < b.ms || (a.ms === b.ms && a.order < b.order)
}

/** `queue` is a binary heap. */
function push(queue: Event[], event: Event): void {
  let at = queue.length
  queue.push(event)
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = queue[above] as Event
    if (!isBefore(event, parent)) break
    queue[at] = parent
    at = above
  }
  queue[at] = event
}

function pop(queue: Event[]): void {
  const last = queue.pop() as Event
  if (queue.length === 0) return
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const right = left + 1
    if (left >= queue.length) break
    const least = right < queue.length && isBefore(queue[right] as Event, queue[left] as Event) ? right : left
    if (!isBefore(queue[least] as Event, last)) break
    queue[at] = queue[least] as Event
    at = least
  }
  queue[at] = last
}

/**
 * Work that happens outside of JavaScript (cryptography, loading a module). It takes no virtual
 * time.
 */
const outsideWork = new Set<number>()
let ownTurn = false

createHook({
  init(id, type, _, resource) {
    const isOutside = type === 'FSREQCALLBACK' || type.endsWith('REQUEST') || (type === 'Immediate' && !ownTurn)
    if (!isOutside) return
    outsideWork.add(id)
    if ('run' in resource) endWhenRunAtOnce(id, resource as { run(): unknown })
  },
  after: (id) => outsideWork.delete(id),
  destroy: (id) => outsideWork.delete(id),
  trackPromises: false,
}).enable()

/**
 * Node also has jobs for synchronous cryptography, whose end no hook reports. Only the jobs listed
 * here return results.
 */
function endWhenRunAtOnce(id: number, job: { run(): unknown }): void {
  const { run } = job
  job.run = () => {
    const results = run.call(job)
    if (Array.isArray(results)) outsideWork.delete(id)
    return results
  }
}

async function settle(): Promise<void> {
  const began = performance.now()
  for (let quietTurns = 0; quietTurns < 2; quietTurns += 1) {
    await turn()
    if (outsideWork.size === 0 && !process.getActiveResourcesInfo().includes('FSReqPromise')) continue
    quietTurns = -1
    if (performance.now() - began > 30_000) throw new Error('something outside of the simulation does not end')
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    ownTurn = true
    setImmediate(resolve)
    ownTurn = false
  })
}
