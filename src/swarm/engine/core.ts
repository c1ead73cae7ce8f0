// The engine: opens and closes holdings as it is told, and lets callers in. One per process.

import { Socket } from 'node:net'
import type WebTorrent from 'webtorrent'
import { messageOf, unreachable } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import { openLanes } from '../../work/lanes.ts'
import type { Clock, Random, Timer } from '../../world/world.ts'
import type { Command, EngineReport, Opening } from '../engine.ts'
import { closedClient } from './client.ts'
import type { Connection } from './links.ts'
import { openMeters } from './meter.ts'
import { type OpenHolding, openHolding } from './open-holding.ts'
import { openPieceMemory } from './piece-memory.ts'
import { openPlainDoor } from './plain-door.ts'
import { openSwarmTls, type SwarmTls } from './tls.ts'

export interface EngineCore {
  obey(command: Command, connection?: unknown): void
}

type Start = Extract<Command, { kind: 'start' }>

export function openEngineCore(parts: {
  clock: Clock
  random: Pick<Random, 'fraction'>
  report: (report: EngineReport) => void
  /** Everything is durable and reported. */
  onStopped: () => void
}): EngineCore {
  let started: Started | undefined
  return {
    obey: (command, connection) => {
      if (command.kind === 'start') {
        started ??= start(parts, command)
        return
      }
      if (started === undefined) {
        if (command.kind === 'stop') parts.onStopped()
        return
      }
      started.obey(command, connection)
    },
  }
}

interface Started {
  obey(command: Exclude<Command, Start>, connection: unknown): void
}

type Place =
  | { kind: 'open'; holding: OpenHolding }
  /** Commands that came meanwhile wait. */
  | { kind: 'changing' }

function start(parts: Parameters<typeof openEngineCore>[0], { self, tls, site, rates, revoked }: Start): Started {
  const { clock, random, report } = parts
  const places = new Map<InfoHash, Place>()
  const turns = new Map<InfoHash, Promise<void>>()
  const waiting = new Map<InfoHash, { connection: Connection; timer: Timer }[]>()
  let outcasts = new Set(revoked)
  let waitingCount = 0
  const waitingOf = new Map<NodeName, number>()
  const dials = openLanes(limits.dialsMax)
  const memory = openPieceMemory(limits.pieceMemoryBytes)
  /** Addresses of which the control side knows that a node called last. */
  const known = new Set<string>()

  const client: WebTorrent = closedClient((error) => {
    report({ kind: 'note', message: 'webtorrent failed', about: messageOf(error) })
  })
  const meters = openMeters({ clock, rates })
  const swarmTls: SwarmTls = openSwarmTls({
    tls,
    clock,
    onConnection: (infoHash, connection) => welcome(infoHash, connection),
    onStranger: (address, because) => report({ kind: 'stranger', address, because }),
    onCaller: (address, isKnown) => {
      if (isKnown && known.has(address)) return
      if (known.size >= limits.callersKnownMax) known.clear()
      if (isKnown) known.add(address)
      else known.delete(address)
      report({ kind: 'caller', address, isKnown })
    },
  })

  const plainDoor = openPlainDoor({ clock, onCalled: (infoHash) => report({ kind: 'called-plainly', infoHash }) })

  const welcome = (infoHash: InfoHash, connection: Connection): boolean => {
    if (outcasts.has(connection.node)) {
      const because = `the certificate of ${connection.node} is revoked`
      report({ kind: 'stranger', address: connection.node, because })
      connection.socket.destroy()
      return false
    }
    seat(infoHash, connection)
    return true
  }
  const seat = (infoHash: InfoHash, connection: Connection) => {
    const { node } = connection
    const place = places.get(infoHash)
    if (place?.kind === 'open') return place.holding.take(connection)
    const ofNode = waitingOf.get(node) ?? 0
    if (waitingCount >= limits.pendingSocketsMax || ofNode >= limits.waitingPerNodeMax) {
      return connection.socket.destroy()
    }
    waitingCount += 1
    waitingOf.set(node, ofNode + 1)
    const timer = clock.after(limits.callerWaitMs * 2, () => refuse(infoHash))
    waiting.set(infoHash, [...(waiting.get(infoHash) ?? []), { connection, timer }])
    if (place === undefined) report({ kind: 'called', infoHash })
  }
  const dismiss = (infoHash: InfoHash): Connection[] => {
    const callers = waiting.get(infoHash) ?? []
    waiting.delete(infoHash)
    waitingCount -= callers.length
    for (const { connection, timer } of callers) {
      timer.cancel()
      const left = (waitingOf.get(connection.node) ?? 0) - 1
      if (left > 0) waitingOf.set(connection.node, left)
      else waitingOf.delete(connection.node)
    }
    return callers.map(({ connection }) => connection)
  }
  const refuse = (infoHash: InfoHash) => {
    for (const { socket } of dismiss(infoHash)) socket.destroy()
  }

  /** What is done to one holding is done in the order it was asked for. */
  const inTurn = (infoHash: InfoHash, work: () => Promise<void>) => {
    const turn = (turns.get(infoHash) ?? Promise.resolve()).then(work).catch((error) => {
      report({ kind: 'failed', infoHash, because: messageOf(error) })
      places.delete(infoHash)
      report({ kind: 'closed', infoHash })
    })
    turns.set(infoHash, turn)
    void turn.then(() => turns.get(infoHash) === turn && turns.delete(infoHash))
  }
  const open = async (opening: Opening) => {
    const { infoHash } = opening
    if (places.has(infoHash)) return
    places.set(infoHash, { kind: 'changing' })
    const holding = await openHolding({
      ...{ client, memory, opening, self, site, clock, random, meters, report },
      isRevoked: (node) => outcasts.has(node),
      dial: ({ node, address, port, relation }, isNeeded) => {
        const first = relation === 'parent'
        return dials.run(() => swarmTls.dial({ node, address, port, infoHash }), { first, isNeeded })
      },
      onBroken: () => inTurn(infoHash, () => close(infoHash)),
    })
    if (holding === undefined) {
      places.delete(infoHash)
      report({ kind: 'closed', infoHash })
      return
    }
    places.set(infoHash, { kind: 'open', holding })
    for (const connection of dismiss(infoHash)) holding.take(connection)
  }
  const close = async (infoHash: InfoHash) => {
    const place = places.get(infoHash)
    if (place?.kind === 'open') {
      places.set(infoHash, { kind: 'changing' })
      await place.holding.close()
    }
    places.delete(infoHash)
    report({ kind: 'closed', infoHash })
    // Who called meanwhile wakes it again.
    if (waiting.has(infoHash)) report({ kind: 'called', infoHash })
  }
  const stop = async () => {
    swarmTls.close()
    plainDoor.close()
    for (const infoHash of waiting.keys()) refuse(infoHash)
    for (const infoHash of places.keys()) inTurn(infoHash, () => close(infoHash))
    await Promise.all(turns.values())
    parts.onStopped()
  }
  const forEachOpen = (act: (holding: OpenHolding) => void) => {
    for (const place of places.values()) if (place.kind === 'open') act(place.holding)
  }
  return {
    obey: (command, connection) => {
      switch (command.kind) {
        case 'tls':
          return swarmTls.renew(command.tls)
        case 'rates':
          meters.setRates(command.rates)
          return forEachOpen((holding) => holding.ratesChanged())
        case 'background': {
          const { infoHash, background } = command
          return inTurn(infoHash, async () => {
            const place = places.get(infoHash)
            if (place?.kind === 'open') place.holding.setBackground(background)
          })
        }
        case 'revoked':
          outcasts = new Set(command.nodes)
          return forEachOpen((holding) => {
            for (const node of outcasts) holding.drop(node, 'its certificate is revoked')
          })
        case 'open':
          return inTurn(command.opening.infoHash, () => open(command.opening))
        case 'close':
          return inTurn(command.infoHash, () => close(command.infoHash))
        case 'refuse':
          return refuse(command.infoHash)
        case 'meet':
          return inTurn(command.infoHash, async () => {
            const place = places.get(command.infoHash)
            if (place?.kind === 'open') place.holding.meet(command.meetings)
          })
        case 'part': {
          const { infoHash, node } = command
          return inTurn(infoHash, async () => {
            const place = places.get(infoHash)
            if (place?.kind === 'open') place.holding.drop(node, 'it is to take from others')
          })
        }
        case 'caller':
          if (connection instanceof Socket) swarmTls.accept(connection)
          return
        case 'plain-caller':
          if (connection instanceof Socket) plainDoor.accept(connection)
          return
        case 'admit':
        case 'turn-away': {
          const { kind, infoHash } = command
          return inTurn(infoHash, async () => {
            const place = places.get(infoHash)
            const holding = place?.kind === 'open' ? place.holding : undefined
            if (kind === 'admit' && holding !== undefined) return plainDoor.admit(infoHash, holding.takePlain)
            plainDoor.turnAway(infoHash)
            holding?.dropPlain()
          })
        }
        case 'stop':
          void stop()
          return
        default:
          return unreachable(command)
      }
    },
  }
}
