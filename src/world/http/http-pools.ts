// Kept-alive connections to other nodes, one pool for each TLS identity of this node.

import { Agent } from 'node:https'
import { createSecureContext } from 'node:tls'
import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import type { TlsIdentity } from '../world.ts'

export interface Pools {
  of(tls: TlsIdentity): Agent
  closeIdle(): void
}

export function openPools(): Pools {
  /** Keyed by certificate and CA. */
  const pools = new BoundedMap<string, Agent>(limits.identitiesPooledMax, (old) => {
    old.maxFreeSockets = 0
    closeIdleOf(old)
  })

  return {
    of(tls) {
      const name = tls.certificate + tls.ca
      const pool = pools.get(name) ?? poolFor(tls)
      pools.set(name, pool)
      return pool
    },
    closeIdle() {
      for (const pool of pools.values()) closeIdleOf(pool)
    },
  }
}

function poolFor(tls: TlsIdentity): Agent {
  const options = {
    keepAlive: true,
    keepAliveMsecs: limits.keepAliveProbeMs,
    maxSockets: limits.connectionsToOneMax,
    maxFreeSockets: limits.idleConnectionsToOneMax,
    // A resumed session would outlive the certificates with which it was made.
    maxCachedSessions: 0,
    secureContext: createSecureContext({ key: tls.key, cert: tls.certificate, ca: tls.ca, minVersion: 'TLSv1.3' }),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: true,
    // Nodes move between addresses. The certificate names the node, and the caller decides whether
    // that is the right one.
    checkServerIdentity: () => undefined,
  } as const
  return new Agent(options)
}

function closeIdleOf(pool: Agent): void {
  for (const sockets of Object.values(pool.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
}
