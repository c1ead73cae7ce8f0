// One stock webtorrent client. Prints "ready", waits for a line, then "done" when it has
// everything. webtorrent-main.js TORRENT FOLDER seed|leech ADDRESS_OF_SEED

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import WebTorrent from 'webtorrent'

const [torrentFile, folder, part, seed] = process.argv.slice(2)
// Its own TCP as asked, and nothing that would look for peers where there is no network.
const client = new WebTorrent({
  utp: false,
  dht: false,
  natUpnp: false,
  natPmp: false,
  ...(part === 'seed' && { torrentPort: 6881 }),
})
client.on('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})
const torrent = readFileSync(torrentFile)
if (part === 'seed') await once(client.add(torrent, { path: folder }), 'done')
process.stdout.write('ready\n')
await once(process.stdin, 'data')
if (part === 'leech') {
  const added = client.add(torrent, { path: folder })
  added.on('infoHash', () => added.addPeer(seed))
  await once(added, 'done')
  process.stdout.write('done\n')
}
