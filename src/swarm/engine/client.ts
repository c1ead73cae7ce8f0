// webtorrent without any way out of its own: no listener, no tracker, no DHT, no local discovery, no port mapping.

import { Server } from 'node:net'
import WebTorrent from 'webtorrent'
import type { Rates } from '../engine.ts'

/** Never bound. webtorrent wants a number to announce, and it announces nothing. */
const noPort = 1

export function closedClient(onError: (error: Error) => void): WebTorrent {
  const client = withoutListening(
    () =>
      new WebTorrent({
        dht: false,
        lsd: false,
        natUpnp: false,
        natPmp: false,
        utp: false,
        utPex: false,
        tracker: false,
        webSeeds: false,
        torrentPort: noPort,
        secure: 0,
      }),
  )
  client.on('error', onError)
  client._onListening()
  return client
}

export function setRates(client: WebTorrent, { upload, download }: Rates): void {
  client.throttleUpload(upload ?? -1)
  client.throttleDownload(download ?? -1)
}

// The constructor opens a TCP port for everybody and has no option against it. It does so at once, so that nobody else's
// `listen` can fall into the time in which ours does nothing.
function withoutListening<T>(construct: () => T): T {
  const { listen } = Server.prototype
  Server.prototype.listen = function (this: Server) {
    return this
  } as typeof listen
  try {
    return construct()
  } finally {
    Server.prototype.listen = listen
  }
}
