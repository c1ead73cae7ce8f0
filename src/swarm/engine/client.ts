// webtorrent without any way out of its own: no listener, no tracker, no DHT, no local discovery, no port mapping.

import assert from 'node:assert/strict'
import WebTorrent from 'webtorrent'

/** Never bound. webtorrent wants a number to announce, and it announces nothing. */
const noPort = 1

/** Throws if what opens ports was not left out of this process (left-out.ts). */
export function closedClient(onError: (error: Error) => void): WebTorrent {
  const client = new WebTorrent({
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
  })
  assert(client._connPool === undefined, 'webtorrent has opened a port of its own')
  client.on('error', onError)
  client._onListening()
  return client
}
