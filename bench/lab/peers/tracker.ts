// A plain BitTorrent tracker for the swarms that need one.

import { fileURLToPath } from 'node:url'
import type { Lab } from '../site.ts'
import { listening } from '../system.ts'

const program = fileURLToPath(new URL('../../../node_modules/bittorrent-tracker/bin/cmd.js', import.meta.url))

/** Its announce URL. `interval` is short, as it would be where transfers take seconds. */
export async function startTracker(lab: Lab, machine: string): Promise<string> {
  const address = lab.address(machine)
  const options = ['--http', '--http-hostname', address, '--port', '6969', '--interval', '2000', '--quiet']
  lab.spawn(machine, process.execPath, [program, ...options]).stderr?.resume()
  await listening(lab, machine, 6969)
  return `http://${address}:6969/announce`
}
