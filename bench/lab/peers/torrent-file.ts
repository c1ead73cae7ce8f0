// What every ordinary swarm starts with: the payload at the root, its .torrent file, and a plain
// tracker.

import { copyFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Load, onlyFileOf } from '../load.ts'
import { run } from '../shell.ts'
import type { Lab } from '../site.ts'
import { listening, rootOf } from '../system.ts'

const trackerProgram = fileURLToPath(new URL('../../../node_modules/bittorrent-tracker/bin/cmd.js', import.meta.url))
export const torrentScript = fileURLToPath(new URL('torrent.py', import.meta.url))
/** Debian's own: that is where python3-libtorrent is installed. */
export const python = '/usr/bin/python3'
/** What makes the .torrent file. */
export const swarmNeeds = { [python]: 'python3-libtorrent' }

/**
 * The payload lies in the root's folder then, under the name `payload`. Returns the .torrent file.
 */
export async function prepareSwarm(lab: Lab, load: Load): Promise<string> {
  const payload = onlyFileOf(load)
  if (payload === undefined) throw new Error('the swarms here are of one file')
  const root = rootOf(lab)
  const address = lab.address(root)
  // Asked again after two seconds, as it would be where transfers take seconds.
  const options = ['--http', '--http-hostname', address, '--port', '6969', '--interval', '2000', '--quiet']
  lab.spawn(root, process.execPath, [trackerProgram, ...options]).stderr?.resume()
  await listening(lab, root, 6969)
  const own = path.join(lab.folder, root, 'payload')
  await copyFile(payload, own)
  const torrent = path.join(lab.folder, 'payload.torrent')
  await run(python, [torrentScript, 'make', own, torrent, `http://${address}:6969/announce`])
  return torrent
}
