// The simulated world: many nodes on one virtual clock and one network, in one process, the same for the same seed.

import { createLog, type LogLevel } from '../../src/world/log.ts'
import type { Clock, Disk, Facts, World } from '../../src/world/world.ts'
import { beginLife, type Life } from './life.ts'
import { createWires, type Network } from './network.ts'
import { seededRandom } from './seeded-random.ts'
import { createPlatter, type Platter, type Storage, simulatedDisk } from './simulated-disk.ts'
import { type Programs, simulatedExec } from './simulated-exec.ts'
import { createPorts, type SeenRequest, simulatedHttp } from './simulated-http.ts'
import { openSimulatedStore } from './simulated-store.ts'
import { createTimeline } from './timeline.ts'

export interface SimulatedNode {
  readonly address: string
  readonly site: string
  /** Of the life that runs now; all that an earlier life still does with its own comes to nothing. */
  readonly world: World
  /** Of programs that go on when the one that started them ends, until the power is cut. */
  readonly machine: { clock: Clock; disk: Disk; life: Life }
  readonly storage: Storage
  readonly programs: Programs
  /** Log lines of all lives. */
  readonly lines: string[]
  setFacts(facts: Facts): void
  /** Sets the wall clock off by so much. */
  skewClock(ms: number): void
  /** Of the machine's clocks on the wall; UTC at first. */
  setTimeZone(name: string): void
  /** Ends the program at once, as SIGKILL or (`power`) a power cut does: then nobody hears of it. Disk and store stay. */
  crash(options?: { power?: boolean }): void
  /** Starts a new life, ending the one before if it still runs. */
  restart(): World
}

export interface Simulation {
  readonly seed: string
  readonly network: Network
  now(): number
  node(options: { address: string; site?: string; diskBytes?: number }): SimulatedNode
  /** Lets so much time pass, with all that happens in it. */
  run(options: { forMs: number }): Promise<void>
  /** Runs until the work is done or the condition holds; throws if that takes longer, by the virtual clock. */
  until<T>(work: Promise<T>, options?: { withinMs?: number }): Promise<T>
  until(condition: () => boolean, options?: { withinMs?: number }): Promise<void>
  /** How many timers fired and messages arrived, everywhere. */
  events(): number
  /** Called for each request that was answered. */
  onRequest(see: (request: SeenRequest) => void): void
}

/** When simulated time begins. */
const epoch = Date.UTC(2030, 0, 1)

const hourMs = 3600_000

/**
 * In whole microseconds, and never none: a timer that is set for what rounding left over would be set again at the same
 * moment for ever. The shortest real one is a millisecond.
 */
function delayOf(ms: number): number {
  return Math.max(0.001, Math.ceil(ms * 1000) / 1000)
}

export function createSimulation({ seed = '1', logLevel = 'debug' as LogLevel } = {}): Simulation {
  const timeline = createTimeline()
  const wires = createWires(timeline)
  const ports = createPorts()

  function node(options: Parameters<Simulation['node']>[0]): SimulatedNode {
    const { address, site = 'main', diskBytes = 2 ** 34 } = options
    const random = seededRandom(`${seed}/${address}`)
    const platter: Platter = createPlatter(diskBytes, random.fraction)
    const programs: Programs = new Map()
    const lines: string[] = []
    let facts: Facts = { arch: 'amd64', hostname: address }
    let skewMs = 0
    let timeZone = 'UTC'
    let lives = 0
    let life: Life
    let world: World
    let powered: Life
    let machine: SimulatedNode['machine']
    const machineClock: Clock = {
      now: () => Math.floor(epoch + timeline.nowMs() + skewMs),
      monotonicMs: () => timeline.nowMs(),
      timeZone: () => timeZone,
      after: (ms, callback) => timeline.at(timeline.nowMs() + ms, callback),
    }
    wires.place(address, site)
    powerOn()
    start()

    function powerOn(): void {
      powered = beginLife(timeline, seededRandom(`${seed}/${address}/power cut ${lives}`))
      const current = powered
      const clock: Clock = { ...machineClock, after: (ms, callback) => current.after(delayOf(ms), callback) }
      machine = { clock, disk: simulatedDisk(platter, current), life: current }
      current.onEnd(() => platter.losePower())
    }

    function start(): void {
      lives += 1
      const current = beginLife(timeline, seededRandom(`${seed}/${address}/crash ${lives}`))
      const clock: Clock = { ...machineClock, after: (ms, callback) => current.after(delayOf(ms), callback) }
      const log = createLog({ write: (line) => lines.push(line.trimEnd()), level: logLevel, journal: false, clock })
      const onError = (error: unknown, path: string) => log.error('request failed', { path, error: String(error) })
      const openStores = new Set<string>()
      ports.running.add(address)
      life = current
      world = {
        clock,
        random,
        disk: simulatedDisk(platter, current),
        exec: simulatedExec({ programs, life: current, clock, machineClock, platter }),
        http: simulatedHttp({ address, life: current, clock, wires, ports, onError }),
        facts: { collect: async () => facts },
        log,
        openStore: (path) => openSimulatedStore(path, platter, current, openStores),
      }
    }

    return {
      address,
      site,
      get world() {
        return world
      },
      get machine() {
        return machine
      },
      storage: platter,
      programs,
      lines,
      setFacts: (next) => {
        facts = { arch: 'amd64', hostname: address, ...next }
      },
      skewClock: (ms) => {
        skewMs = ms
      },
      setTimeZone: (name) => {
        timeZone = name
      },
      crash({ power = false } = {}) {
        if (power) {
          ports.running.delete(address)
          wires.silence(address)
          powered.end()
        }
        life.end()
      },
      restart() {
        life.end()
        wires.unsilence(address)
        if (powered.isOver()) powerOn()
        start()
        return world
      },
    }
  }

  async function until<T>(work: Promise<T> | (() => boolean), { withinMs = hourMs } = {}): Promise<T | undefined> {
    let settled = false
    const settle = () => {
      settled = true
    }
    if (typeof work !== 'function') work.then(settle, settle)
    const isDone = typeof work === 'function' ? work : () => settled
    const deadline = timeline.nowMs() + withinMs
    for (;;) {
      await timeline.settle()
      if (isDone()) return typeof work === 'function' ? undefined : work
      if (!timeline.step(deadline)) throw new Error(`not within ${withinMs} ms, or nothing happens any more`)
    }
  }

  return {
    seed,
    network: wires,
    now: () => Math.floor(epoch + timeline.nowMs()),
    node,
    async run({ forMs }) {
      const end = timeline.nowMs() + forMs
      do await timeline.settle()
      while (timeline.step(end))
      timeline.skipTo(end)
    },
    until: until as Simulation['until'],
    events: () => timeline.steps(),
    onRequest: (see) => ports.onRequest.add(see),
  }
}
