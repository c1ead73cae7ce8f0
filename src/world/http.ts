// HTTPS between nodes: mutual TLS 1.3 with certificates of the fleet's own CA, and nothing else.

import { requestFrom } from './http-client.ts'
import { openPools } from './http-pools.ts'
import { serveHttps } from './http-server.ts'
import type { Http } from './world.ts'

export function openHttp(options: {
  /** The handler of a request threw. The caller got an empty 500. */
  onError: (error: unknown, path: string) => void
}): Http {
  const pools = openPools()
  return {
    serve: (serve) => serveHttps({ ...serve, onError: options.onError }),
    request: (request) => requestFrom(pools, request),
    close: () => pools.closeIdle(),
  }
}
