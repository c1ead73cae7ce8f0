// A staging server in the wrong hands: it has a home, keys and a certificate of the fleet like any
// other, and runs this instead of our daemon. What the attack at hand does not touch it passes on
// honestly, as a clever attacker would.

import type { Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { homeAt } from '../../src/node/setup/home.ts'
import { loadSettings } from '../../src/node/setup/settings-file.ts'
import { loadIdentity, type NodeIdentity } from '../../src/trust/identity.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { openHttp } from '../../src/world/http/http.ts'
import type { HttpReply, HttpRequest, HttpResponse } from '../../src/world/world.ts'

/** `honest` asks the real parent. */
export type Deed = (request: HttpRequest, honest: () => Promise<HttpResponse>) => Promise<HttpResponse>

export interface HostileParent {
  identity: NodeIdentity
  /** What it does from now on, in place of passing calls on; null turns it honest. */
  does(deed: Deed | null): void
  /** A call to the real parent that no child asked for. */
  call(method: 'GET' | 'POST', path: string, body?: string | Uint8Array): Promise<HttpReply>
}

/**
 * Serves the control port of a node that joined properly and whose daemon does not run. Ends with
 * the test.
 */
export async function startHostileParent(
  t: Test,
  options: { home: string; above: string; deed?: Deed },
): Promise<HostileParent> {
  const home = homeAt(options.home)
  const settings = await loadSettings(systemDisk, home.settings)
  const identity = await loadIdentity(home.keys, systemDisk)
  const http = openHttp({ onError: () => {} })
  let deed = options.deed ?? null

  const call: HostileParent['call'] = (method, path, body) =>
    http.request({
      url: options.above,
      method,
      path,
      ...(body !== undefined && { body }),
      tls: identity.tls,
      timeoutMs: limits.requestTimeoutMs,
      responseMaxBytes: limits.objectMaxBytes,
    })
  const server = await http.serve({
    address: settings.listen,
    port: settings.controlPort,
    tls: identity.tls,
    bodyMaxBytes: () => limits.reportsMaxBytes,
    handler: (request) => {
      const honest = async (): Promise<HttpResponse> => {
        const query = new URLSearchParams(request.query).toString()
        const { status, body } = await http.request({
          url: options.above,
          method: request.method,
          path: query === '' ? request.path : `${request.path}?${query}`,
          ...(request.method === 'POST' && { body: request.body }),
          tls: identity.tls,
          timeoutMs: limits.watchHangMs + limits.requestTimeoutMs,
          responseMaxBytes: limits.objectMaxBytes,
          signal: request.signal,
        })
        return { status, body }
      }
      return deed === null ? honest() : deed(request, honest)
    },
  })
  t.teardown(async () => {
    await server.close()
    http.close()
  })
  return {
    identity,
    does: (next) => {
      deed = next
    },
    call,
  }
}
