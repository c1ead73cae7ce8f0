// webtorrent without any way to the network: no listener, no tracker, no DHT, no local discovery,
// no port mapping.

import assert from 'node:assert/strict'
import WebTorrent from 'webtorrent'

/** Never bound. webtorrent wants a port to announce, and it announces nothing. */
const noPort = 1

/** Throws unless webtorrent's own listener was left out of this process (left-out.ts). */
export function createClosedClient(onError: (error: Error) => void): WebTorrent {
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
  // Otherwise each torrent would wait for the listener.
  client._onListening()
  return client
}
