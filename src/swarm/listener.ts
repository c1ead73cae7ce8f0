// The swarm port: accepts connections and reads nothing from them. The engine finds out who each
// caller is.

import { createServer } from 'node:net'
import { limits } from '../model/limits.ts'
import { listenAt } from '../world/http/listening.ts'
import type { Caller, SwarmPort } from './engine.ts'

/**
 * Listens at `EngineFactory.listen`'s terms. Throws `conflict` if the port is taken, `bad-input` if
 * the system refuses it.
 */
export async function listenForCallers(options: {
  address: string
  port: number
  onCaller: (caller: Caller) => void
}): Promise<SwarmPort> {
  const { address, port, onCaller } = options
  const server = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    onCaller(socket)
  })
  server.maxConnections = limits.connectionsMax
  await listenAt(server, {
    address,
    port,
    what: 'swarm port',
    takenHint: 'does its daemon run already? choose another swarmPort in node.yaml otherwise',
    otherwise: 'bad-input',
  })
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    // This does not wait for the connections: the server still counts those that the engine has
    // taken.
    close: async () => {
      server.close()
    },
  }
}
