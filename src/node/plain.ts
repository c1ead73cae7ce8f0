// The plain endpoint: two more ports at which ordinary BitTorrent clients get payloads from this
// node, in the clear. A node has one only where its settings switch it on.

import { hostname } from 'node:os'
import { addressInUrl } from '../model/address.ts'
import { Failure } from '../model/failure.ts'
import type { Settings } from '../model/settings.ts'
import { parsePlainAnnounce, plainRefusal } from '../tracker/plain-announce.ts'
import { createPlainTracker } from '../tracker/plain-tracker.ts'
import { servePlainHttp } from '../world/http/plain-http.ts'
import type { Clock, Log } from '../world/world.ts'
import type { RunningNode } from './daemon.ts'

export interface PlainEndpoint {
  /** The URL of the tracker, for .torrent files. */
  announceUrl: string
  stop(): Promise<void>
}

/**
 * Throws if one of the two ports cannot be listened at, `conflict` where it is taken. Then neither
 * is open.
 */
export async function startPlainEndpoint(parts: {
  settings: Pick<Settings, 'listen'> & { plain: NonNullable<Settings['plain']> }
  node: Pick<RunningNode, 'state' | 'onChange' | 'swarm'>
  clock: Clock
  log: Log
}): Promise<PlainEndpoint> {
  const { node, clock, log } = parts
  const { plain } = parts.settings
  const { swarm } = node
  const address = plain.listen ?? parts.settings.listen
  const swarmPort = await swarm.plain.listen({ address, port: plain.swarmPort })
  const tracker = createPlainTracker({ clock, gives: swarm.plain.gives, port: () => swarmPort.port })
  const server = await servePlainHttp({
    ...{ address, port: plain.announcePort },
    handler: ({ path, query, from, to }) => {
      if (path !== '/announce') return { status: 404, body: new Uint8Array() }
      try {
        return { status: 200, body: tracker.answer(parsePlainAnnounce(query), { from, to }) }
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        return { status: 200, body: plainRefusal(error.message) }
      }
    },
  }).catch(async (error) => {
    await swarmPort.close()
    throw error
  })
  let named: ReadonlySet<string> | undefined
  const look = () => {
    const { revision } = node.state()
    if (revision === null || revision.named === named) return
    named = revision.named
    swarm.plain.setNamed(named)
  }
  const stopListening = node.onChange(look)
  look()
  const announceUrl = `http://${hostOf(plain.address ?? address)}:${server.port}/announce`
  log.info('ordinary clients are let in', { announce: announceUrl, swarmPort: swarmPort.port })
  return {
    announceUrl,
    stop: async () => {
      stopListening()
      swarm.plain.setNamed(new Set())
      await server.close()
      await swarmPort.close()
    },
  }
}

function hostOf(address: string): string {
  if (address === '0.0.0.0' || address === '::') return hostname()
  return addressInUrl(address)
}
