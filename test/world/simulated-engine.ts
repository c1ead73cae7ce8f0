// Swarm engines for the simulated world: the same commands and reports as the real process, over
// the simulated network.

import { Failure } from '../../src/model/failure.ts'
import type { InfoHash, NodeName, Sha256 } from '../../src/model/names.ts'
import { unlimited } from '../../src/model/units/rates.ts'
import { dialPlaces } from '../../src/swarm/engine/dial-places.ts'
import { createMeters } from '../../src/swarm/engine/meter.ts'
import {
  type Caller,
  type Command,
  connectMsFor,
  type Engine,
  type EngineFactory,
  type EngineReport,
  type PeerToDial,
} from '../../src/swarm/engine.ts'
import type { Clock, TlsIdentity } from '../../src/world/world.ts'
import type { Wires } from './network.ts'
import { type LinkEnd, type LinkMessage, openSimulatedHolding, type SimulatedHolding } from './simulated-holding.ts'
import { partsOf, type SimulatedPart } from './simulated-part.ts'
import { distrustOf, keyIdFor } from './simulated-tls.ts'
import type { SimulatedNode, Simulation } from './simulation.ts'

export interface SimulatedSwarms {
  /** The engines for the present life of a node. */
  engineFor(node: SimulatedNode): EngineFactory
  /** Ends the engine of a node at once, as SIGKILL does. */
  kill(node: SimulatedNode): void
  /** Takes calls in the name of a node whose keys were stolen, has nothing and gives nothing. */
  pose(node: SimulatedNode, as: { node: NodeName; port: number; tls: TlsIdentity }): void
  /** The content of the part of this path below the folder of the payloads. */
  partAt(node: SimulatedNode, path: string): SimulatedPart
}

/** A connection whose payload is not known yet. */
interface SimulatedCaller extends Caller {
  node: NodeName
  keyId: Sha256
  infoHash: InfoHash
  /** Undefined, and the connection is closed, if one end refuses the other's certificate. */
  accept(acceptor: Party, onStranger: (address: string, because: string) => void): LinkEnd | undefined
}

interface Party {
  node: NodeName
  address: string
  clock: Clock
  tls: TlsIdentity
  /** Called for each node that this one connects to. */
  isRevoked: (node: NodeName, key: Sha256) => boolean
}

interface Door {
  clock: Clock
  onCaller: (caller: Caller) => void
}

const startMs = 300
const handshakeBytes = 3_000
const messageBytes = 60
const firstPort = 17_421

export function createSwarms(simulation: Simulation): SimulatedSwarms {
  // The network of every simulation also moves bytes, although its interface for scenarios does not
  // show that.
  const wires = simulation.network as Wires
  const doors = new Map<string, Door>()
  const running = new Map<string, { die: () => void }>()
  const parts = partsOf()

  /** Both ends of a connection. `clock.after` keeps a life that is over from taking part. */
  const join = (dialler: Party, acceptor: Party): [outgoing: LinkEnd, incoming: LinkEnd] => {
    const isThin = wires.isThin(dialler.address, acceptor.address)
    const [outgoing, toOutgoing] = endOf({ node: acceptor.node, direction: 'outgoing', isThin }, (message) => {
      wires.deliver(dialler.address, acceptor.address, sizeOf(message), toIncoming(acceptor.clock, message))
    })
    const [incoming, toIncoming] = endOf({ node: dialler.node, direction: 'incoming', isThin }, (message) => {
      wires.deliver(acceptor.address, dialler.address, sizeOf(message), toOutgoing(dialler.clock, message))
    })
    return [outgoing, incoming]
  }

  const dial = (dialler: Party, infoHash: InfoHash, to: PeerToDial): Promise<LinkEnd> => {
    const { address, clock } = dialler
    return new Promise((resolve, reject) => {
      let hasGivenUp = false
      const refuse = (failure: Failure) => {
        wires.deliver(to.address, address, messageBytes, () => clock.after(0, () => settle(() => reject(failure))))
      }
      const isSibling = to.relation === 'sibling'
      const timeout = clock.after(connectMsFor(to), () => {
        hasGivenUp = true
        reject(new Failure('unreachable', `no answer from ${to.address}`, { retry: 'later' }))
      })
      const settle = (act: () => void) => {
        timeout.cancel()
        act()
      }
      const closed = () => new Failure('refused', 'the connection was closed', { retry: 'later' })
      const caller: SimulatedCaller = {
        ...{ node: dialler.node, keyId: keyIdFor(dialler.tls), infoHash, remoteAddress: address },
        destroy: () => refuse(closed()),
        accept: (acceptor, onStranger) => {
          const distrust = distrustOf(acceptor.tls, dialler.tls, 'calling', acceptor.clock.now())
          const distrusted = distrustOf(dialler.tls, acceptor.tls, 'serving', clock.now())
          const isOther = acceptor.node !== to.node
          if (dialler.isRevoked(acceptor.node, keyIdFor(acceptor.tls))) {
            refuse(new Failure('refused', `the key of ${to.node} was revoked`, { retry: 'later' }))
            return undefined
          }
          if (distrusted !== undefined || isOther) {
            const because = isOther ? `${to.address}:${to.port} is ${acceptor.node}, not ${to.node}` : distrusted
            refuse(new Failure(isOther && isSibling ? 'unreachable' : 'untrusted', because ?? '', { retry: 'later' }))
            return undefined
          }
          if (distrust !== undefined) {
            onStranger(address, distrust)
            refuse(closed())
            return undefined
          }
          const [outgoing, incoming] = join(dialler, acceptor)
          const arrived = () => {
            if (hasGivenUp) outgoing.send({ kind: 'close' })
            else settle(() => resolve(outgoing))
          }
          wires.deliver(to.address, address, handshakeBytes, () => clock.after(0, arrived))
          return incoming
        },
      }
      wires.deliver(address, to.address, handshakeBytes, () => {
        // A cut may have held it back for long.
        if (hasGivenUp) return
        const door = doors.get(`${to.address}:${to.port}`)
        if (door === undefined) refuse(new Failure('unreachable', 'ECONNREFUSED', { retry: 'later' }))
        else door.clock.after(0, () => door.onCaller(caller))
      })
    })
  }

  const start = (node: SimulatedNode, { onReport, onEnd }: Parameters<EngineFactory['start']>[0]): Engine => {
    const { clock, random, disk } = node.world
    const places = new Map<InfoHash, SimulatedHolding | 'changing'>()
    const turns = new Map<InfoHash, Promise<void>>()
    const waiting = new Map<InfoHash, SimulatedCaller[]>()
    let self = ''
    let tls: TlsIdentity = { key: '', certificate: '', ca: '' }
    const meters = createMeters({ clock, rates: unlimited })
    let revoked = new Set<Sha256>()
    /** The keys of the nodes that this one has connections with. */
    const keys = new Map<NodeName, Sha256>()
    let isDead = false

    // Reports arrive later, as over IPC, and a killed engine sends none.
    const report = (message: EngineReport) => {
      if (!isDead) clock.after(0, () => onReport(message))
    }
    const inTurn = (infoHash: InfoHash, work: () => Promise<void>) => {
      const turn = (turns.get(infoHash) ?? Promise.resolve()).then(work).catch((error: Error) => {
        report({ kind: 'failed', infoHash, because: error.message })
        places.delete(infoHash)
        report({ kind: 'closed', infoHash })
      })
      turns.set(infoHash, turn)
    }
    const open = async (opening: Extract<Command, { kind: 'open' }>['opening']) => {
      const { infoHash } = opening
      if (places.has(infoHash)) return
      places.set(infoHash, 'changing')
      const holding = await openSimulatedHolding({
        ...{ opening, self, clock, random, disk, report },
        part: parts.of(node, `${opening.folder}/${infoHash}`),
        dial: ({ others = [], ...meeting }) =>
          dialPlaces({
            ...{ addresses: [meeting.address, ...others], clock },
            dial: (address) => dial(party(), infoHash, { ...meeting, address }),
            discard: (end) => end.send({ kind: 'close' }),
          }),
        meters,
        onBroken: () => inTurn(infoHash, () => close(infoHash)),
      })
      if (holding === undefined) {
        places.delete(infoHash)
        return report({ kind: 'closed', infoHash })
      }
      places.set(infoHash, holding)
      for (const caller of waiting.get(infoHash) ?? []) takeInto(holding, caller)
      waiting.delete(infoHash)
    }
    const close = async (infoHash: InfoHash) => {
      const place = places.get(infoHash)
      if (place !== undefined && place !== 'changing') {
        places.set(infoHash, 'changing')
        await place.close()
      }
      places.delete(infoHash)
      report({ kind: 'closed', infoHash })
      if (waiting.has(infoHash)) report({ kind: 'called', infoHash })
    }
    const welcome = (caller: SimulatedCaller) => {
      const { infoHash } = caller
      if (isDead || isRevoked(caller.node, caller.keyId)) return caller.destroy()
      const place = places.get(infoHash)
      if (place !== undefined && place !== 'changing') return takeInto(place, caller)
      waiting.set(infoHash, [...(waiting.get(infoHash) ?? []), caller])
      if (place === undefined) report({ kind: 'called', infoHash })
    }
    const isRevoked = (name: NodeName, key: Sha256): boolean => {
      keys.set(name, key)
      return revoked.has(key)
    }
    const party = (): Party => ({ node: self, address: node.address, clock, tls, isRevoked })
    const takeInto = (holding: SimulatedHolding, caller: SimulatedCaller) => {
      const end = caller.accept(party(), (address, because) => report({ kind: 'stranger', address, because }))
      if (end !== undefined) holding.take(end)
    }
    const die = () => {
      isDead = true
      running.delete(node.address)
      for (const place of places.values()) if (place !== 'changing') place.breakOff()
    }
    const obey = (command: Command): void => {
      switch (command.kind) {
        case 'start':
          self = command.self
          tls = command.tls
          meters.setRates(command.rates)
          revoked = new Set(command.revoked)
          break
        case 'tls':
          tls = command.tls
          break
        case 'rates':
          meters.setRates(command.rates)
          for (const place of places.values()) if (place !== 'changing') place.ratesChanged()
          break
        case 'background': {
          const place = places.get(command.infoHash)
          if (place !== undefined && place !== 'changing') place.setBackground(command.background)
          break
        }
        case 'revoked':
          revoked = new Set(command.keys)
          for (const [name, key] of keys) {
            for (const place of places.values()) if (place !== 'changing' && revoked.has(key)) place.drop(name)
          }
          break
        case 'open':
          inTurn(command.opening.infoHash, () => open(command.opening))
          break
        case 'close':
          inTurn(command.infoHash, () => close(command.infoHash))
          break
        case 'refuse':
          for (const caller of waiting.get(command.infoHash) ?? []) caller.destroy()
          waiting.delete(command.infoHash)
          break
        case 'meet':
          inTurn(command.infoHash, async () => {
            const place = places.get(command.infoHash)
            if (place !== undefined && place !== 'changing') place.meet(command.meetings)
          })
          break
        case 'part':
          inTurn(command.infoHash, async () => {
            const place = places.get(command.infoHash)
            if (place !== undefined && place !== 'changing') place.drop(command.node)
          })
          break
        default:
          // Connections and the end of the engine have their own calls.
          break
      }
    }
    running.set(node.address, {
      die: () => {
        die()
        clock.after(0, () => onEnd('signal SIGKILL'))
      },
    })
    clock.after(startMs, () => report({ kind: 'ready' }))
    return {
      send: (command) => {
        if (!isDead) clock.after(0, () => isDead || obey(command))
      },
      take: (caller, way) =>
        clock.after(0, () => (way === 'swarm' ? welcome(caller as SimulatedCaller) : caller.destroy())),
      stop: () =>
        new Promise((resolve) => {
          for (const infoHash of places.keys()) inTurn(infoHash, () => close(infoHash))
          void Promise.all(turns.values()).then(() => {
            clock.after(0, () => {
              die()
              onEnd('exit code 0')
              resolve()
            })
          })
        }),
    }
  }
  return {
    engineFor: (node) => {
      // In a new life, everything that the old one had open is gone.
      running.get(node.address)?.die()
      return {
        listen: async ({ port, onCaller }) => {
          const chosen = port === 0 ? firstPort : port
          const name = `${node.address}:${chosen}`
          const door: Door = { clock: node.world.clock, onCaller }
          doors.set(name, door)
          return {
            port: chosen,
            close: async () => {
              if (doors.get(name) === door) doors.delete(name)
            },
          }
        },
        start: (options) => start(node, options),
      }
    },
    kill: (node) => running.get(node.address)?.die(),
    pose: (node, { port, ...as }) => {
      const { clock } = node.world
      const onCaller = (caller: Caller) => {
        const end = (caller as SimulatedCaller).accept(
          { ...as, address: node.address, clock, isRevoked: () => false },
          () => {},
        )
        end?.listen(() => {})
        end?.send({ kind: 'has', pieces: [] })
      }
      doors.set(`${node.address}:${port}`, { clock, onCaller })
    },
    partAt: (node, path) => parts.of(node, path.replace(/\.part$/, '')),
  }
}

/**
 * Keeps messages in order: the network may deliver a small message before a large one, but a
 * connection does not. The second value takes a message that is sent to this end, and returns the
 * function to call when it arrives.
 */
function endOf(
  about: Pick<LinkEnd, 'node' | 'direction' | 'isThin'>,
  send: LinkEnd['send'],
): [LinkEnd, (clock: Clock, message: LinkMessage) => () => void] {
  const underWay: { message: LinkMessage; isHere: boolean }[] = []
  let listener: ((message: LinkMessage) => void) | undefined
  const read = () => {
    while (listener !== undefined && underWay[0]?.isHere) {
      const first = underWay.shift()
      if (first !== undefined) listener(first.message)
    }
  }
  const end: LinkEnd = {
    ...{ ...about, send },
    listen: (next) => {
      listener = next
      read()
    },
  }
  const expect = (clock: Clock, message: LinkMessage) => {
    const entry = { message, isHere: false }
    underWay.push(entry)
    return () => {
      entry.isHere = true
      clock.after(0, read)
    }
  }
  return [end, expect]
}

function sizeOf(message: LinkMessage): number {
  if (message.kind === 'piece') return Math.ceil(message.bytes.length * 1.003) + messageBytes
  return messageBytes + (message.kind === 'has' ? Math.ceil(message.pieces.length / 8) : 0)
}
