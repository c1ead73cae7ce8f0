// The engine: opens and closes holdings as it is told, and lets callers in. One per process.

import { Socket } from 'node:net'
import type WebTorrent from 'webtorrent'
import { BoundedMap } from '../../model/bounded-map.ts'
import { messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash } from '../../model/names.ts'
import { type Allowances, createAllowances } from '../../work/allowances.ts'
import { createLanes, type Lanes } from '../../work/lanes.ts'
import { takingTurnsByKey } from '../../work/turns.ts'
import type { Clock, Random } from '../../world/world.ts'
import type { Command, EngineReport, Opening, PeerToDial } from '../engine.ts'
import { createClosedClient } from './client.ts'
import { dialPlaces } from './dial-places.ts'
import type { Connection } from './link.ts'
import { createMeters, type Meters } from './meter.ts'
import { openHolding } from './open-holding.ts'
import { createPieceMemory } from './payload/piece-memory.ts'
import { type PlainDoor, startPlainDoor } from './plain/plain-door.ts'
import type { OpenHolding } from './running-holding.ts'
import { type SwarmTls, startSwarmTls } from './tls.ts'
import { startWaitingCallers } from './waiting-callers.ts'

export interface EngineCore {
  /**
   * With `caller` and `plain-caller` comes the accepted socket. Commands before `start` are
   * ignored, but for `stop`.
   */
  obey(command: Command, connection?: unknown): void
}

interface CoreParts {
  clock: Clock
  random: Pick<Random, 'fraction'>
  report: (report: EngineReport) => void
  /** Everything received is durable and reported. */
  onStopped: () => void
}

type Start = Extract<Command, { kind: 'start' }>

export function startEngineCore(parts: CoreParts): EngineCore {
  let started: StartedCore | undefined
  return {
    obey: (command, connection) => {
      if (command.kind === 'start') started ??= new StartedCore(parts, command)
      else if (started !== undefined) started.obey(command, connection)
      else if (command.kind === 'stop') parts.onStopped()
    },
  }
}

type Place =
  | { kind: 'open'; holding: OpenHolding }
  /** Being opened or closed; commands for the holding wait for their turn. */
  | { kind: 'changing' }

/** What each command does. */
type Handlers = {
  [K in Exclude<Command['kind'], 'start'>]: (command: Extract<Command, { kind: K }>, connection: unknown) => void
}

class StartedCore {
  readonly #parts: CoreParts
  readonly #start: Start
  readonly #client: WebTorrent
  readonly #meters: Meters
  readonly #tls: SwarmTls
  readonly #plainDoor: PlainDoor
  readonly #dials: Lanes = createLanes(limits.dialsMax)
  readonly #memory = createPieceMemory(limits.pieceMemoryBytes)
  /** By node: words about wrong pieces, each of which has a piece read again. */
  readonly #tellings: Allowances
  readonly #waiting: ReturnType<typeof startWaitingCallers>
  readonly #places = new Map<InfoHash, Place>()
  readonly #inTurn = takingTurnsByKey<InfoHash>()
  /** The turns that are not over. */
  readonly #turns = new Set<Promise<void>>()
  /** The addresses from which, as the control side has been told, a node called last. */
  readonly #nodeAddresses = new BoundedMap<string, true>(limits.callersKnownMax)

  constructor(parts: CoreParts, start: Start) {
    const { clock, report } = parts
    this.#parts = parts
    this.#start = start
    this.#waiting = startWaitingCallers(clock)
    this.#tellings = createAllowances({
      ...{ monotonicMs: clock.monotonicMs, kept: limits.bannedKnownMax },
      ...{ max: limits.doubtsPerNodeMax, everyMs: limits.doubtsPerNodeEveryMs },
    })
    this.#client = createClosedClient((error) => {
      report({ kind: 'note', message: 'webtorrent failed', about: messageOf(error) })
    })
    this.#meters = createMeters({ clock, rates: start.rates })
    this.#tls = startSwarmTls({
      ...{ tls: start.tls, revoked: start.revoked, clock },
      onConnection: (infoHash, connection) => this.#welcome(infoHash, connection),
      onStranger: (address, because) => report({ kind: 'stranger', address, because }),
      onCaller: (address, isKnown) => this.#called(address, isKnown),
    })
    this.#plainDoor = startPlainDoor({ clock, onCalled: (infoHash) => report({ kind: 'called-plainly', infoHash }) })
  }

  obey(command: Exclude<Command, Start>, connection: unknown): void {
    // The compiler does not see that the handler fits the command that it was looked up for.
    const handler = this.#handlers[command.kind] as (command: Command, connection: unknown) => void
    handler(command, connection)
  }

  readonly #handlers: Handlers = {
    tls: ({ tls }) => this.#tls.renew(tls),
    rates: ({ rates }) => {
      this.#meters.setRates(rates)
      this.#forEachOpen((holding) => holding.ratesChanged())
    },
    background: ({ infoHash, background }) => this.#whenOpen(infoHash, (holding) => holding.setBackground(background)),
    revoked: ({ keys }) => this.#tls.setRevoked(keys),
    open: ({ opening }) => this.#takeTurn(opening.infoHash, () => this.#open(opening)),
    close: ({ infoHash }) => this.#takeTurn(infoHash, () => this.#close(infoHash)),
    refuse: ({ infoHash }) => this.#waiting.refuse(infoHash),
    meet: ({ infoHash, meetings }) => this.#whenOpen(infoHash, (holding) => holding.setPeers(meetings)),
    part: ({ infoHash, node }) => {
      this.#whenOpen(infoHash, (holding) => holding.drop(node, 'it is to take from others'))
    },
    caller: (_command, socket) => {
      if (socket instanceof Socket) this.#tls.accept(socket)
    },
    'plain-caller': (_command, socket) => {
      if (socket instanceof Socket) this.#plainDoor.accept(socket)
    },
    admit: ({ infoHash }) => {
      this.#takeTurn(infoHash, async () => {
        const holding = this.#holding(infoHash)
        if (holding === undefined) this.#plainDoor.turnAway(infoHash)
        else this.#plainDoor.admit(infoHash, (caller) => holding.takePlain(caller))
      })
    },
    'turn-away': ({ infoHash }) => {
      this.#takeTurn(infoHash, async () => {
        this.#plainDoor.turnAway(infoHash)
        this.#holding(infoHash)?.dropPlain()
      })
    },
    stop: () => void this.#stop(),
  }

  /** Somebody called whose certificate is in order. */
  #welcome(infoHash: InfoHash, connection: Connection): void {
    const { report } = this.#parts
    const place = this.#places.get(infoHash)
    if (place?.kind === 'open') place.holding.take(connection)
    else if (this.#waiting.add(infoHash, connection) && place === undefined) report({ kind: 'called', infoHash })
  }

  /**
   * Reports an address once for as long as nodes call from there, and each time for anybody else.
   */
  #called(address: string, isKnown: boolean): void {
    if (isKnown && this.#nodeAddresses.has(address)) return
    if (isKnown) this.#nodeAddresses.set(address, true)
    else this.#nodeAddresses.delete(address)
    this.#parts.report({ kind: 'caller', address, isKnown })
  }

  #holding(infoHash: InfoHash): OpenHolding | undefined {
    const place = this.#places.get(infoHash)
    return place?.kind === 'open' ? place.holding : undefined
  }

  #forEachOpen(act: (holding: OpenHolding) => void): void {
    for (const place of this.#places.values()) if (place.kind === 'open') act(place.holding)
  }

  #whenOpen(infoHash: InfoHash, act: (holding: OpenHolding) => void): void {
    this.#takeTurn(infoHash, async () => {
      const holding = this.#holding(infoHash)
      if (holding !== undefined) act(holding)
    })
  }

  /** Whatever concerns one holding happens in the order of the commands. */
  #takeTurn(infoHash: InfoHash, work: () => Promise<void>): void {
    const turn = this.#inTurn(infoHash, async () => {
      try {
        await work()
      } catch (error) {
        this.#parts.report({ kind: 'failed', infoHash, because: messageOf(error) })
        this.#closed(infoHash)
      }
    })
    this.#turns.add(turn)
    void turn.then(() => this.#turns.delete(turn))
  }

  async #open(opening: Opening): Promise<void> {
    const { infoHash } = opening
    if (this.#places.has(infoHash)) return
    this.#places.set(infoHash, { kind: 'changing' })
    const { clock, random, report } = this.#parts
    const { self, site } = this.#start
    const holding = await openHolding({
      ...{ client: this.#client, memory: this.#memory, meters: this.#meters },
      ...{ opening, self, site, clock, random, report },
      mayTell: this.#tellings.take,
      dial: (peer, isNeeded) => this.#dial(infoHash, peer, isNeeded),
      onBroken: () => this.#takeTurn(infoHash, () => this.#close(infoHash)),
    })
    if (holding === undefined) return this.#closed(infoHash)
    this.#places.set(infoHash, { kind: 'open', holding })
    for (const connection of this.#waiting.take(infoHash)) holding.take(connection)
  }

  #dial(
    infoHash: InfoHash,
    { node, address, others = [], port, relation, elsewhere }: PeerToDial,
    isNeeded: () => boolean,
  ): Promise<Connection> {
    const first = relation === 'parent'
    const dial = () =>
      dialPlaces({
        ...{ addresses: [address, ...others], clock: this.#parts.clock },
        dial: (place) => this.#tls.dial({ node, address: place, port, relation, elsewhere, infoHash }),
        discard: ({ socket }) => socket.destroy(),
      })
    return this.#dials.run(dial, { first, isNeeded })
  }

  async #close(infoHash: InfoHash): Promise<void> {
    const holding = this.#holding(infoHash)
    if (holding !== undefined) {
      this.#places.set(infoHash, { kind: 'changing' })
      await holding.close()
    }
    this.#closed(infoHash)
    // The control side has to open it again for nodes that called meanwhile.
    if (this.#waiting.isWaitedFor(infoHash)) this.#parts.report({ kind: 'called', infoHash })
  }

  #closed(infoHash: InfoHash): void {
    this.#places.delete(infoHash)
    this.#parts.report({ kind: 'closed', infoHash })
  }

  async #stop(): Promise<void> {
    this.#tls.stop()
    this.#plainDoor.stop()
    this.#waiting.stop()
    for (const infoHash of this.#places.keys()) this.#takeTurn(infoHash, () => this.#close(infoHash))
    await Promise.all(this.#turns)
    this.#parts.onStopped()
  }
}
