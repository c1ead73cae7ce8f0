// aria2 and transmission: every machine in one swarm, with their ordinary settings but for what would look outside the lab.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { bytesOf, type Load } from '../load.ts'
import type { Lab } from '../site.ts'
import { lineOf, type Prepared, rootOf, type System, takersOf } from '../system.ts'
import { prepareSwarm, swarmNeeds } from './torrent-file.ts'

interface Client {
  needs: Record<string, string>
  program: string
  /** Run in the machine's folder, where the payload is or comes to be. */
  args(machine: { folder: string; address: string; torrent: string }): string[]
  settings?: (machine: { address: string }) => Record<string, unknown>
  /** What it says once it has everything. */
  done: RegExp
}

export const aria2: System = systemOf('aria2 swarm', {
  needs: { aria2c: 'aria2' },
  program: 'aria2c',
  args: ({ torrent }) => [
    ...['--no-conf', '--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=true', '--seed-ratio=0'],
    ...['--check-integrity=true', '--console-log-level=notice', '--summary-interval=0', '--show-console-readout=false'],
    torrent,
  ],
  done: /Download complete|Verification finished successfully/,
})

export const transmission: System = systemOf('transmission swarm', {
  needs: { 'transmission-cli': 'transmission-cli' },
  program: 'stdbuf',
  // It says how it stands without ever ending a line.
  args: ({ folder, torrent }) => ['-o0', 'transmission-cli', '-g', folder, '-w', folder, '-M', '-D', '-U', torrent],
  settings: ({ address }) => ({ 'dht-enabled': false, 'bind-address-ipv4': address, 'lpd-enabled': true }),
  done: /Seeding/,
})

function systemOf(name: string, client: Client): System {
  const start = async (lab: Lab, machine: string, torrent: string) => {
    const folder = path.join(lab.folder, machine)
    const at = { folder, address: lab.address(machine), torrent }
    if (client.settings !== undefined) {
      await writeFile(path.join(folder, 'settings.json'), JSON.stringify(client.settings(at)))
    }
    return lineOf(lab.spawn(machine, client.program, client.args(at)), client.done, `${name} on ${machine}`)
  }
  const prepare = async (lab: Lab, load: Load): Promise<Prepared> => {
    const torrent = await prepareSwarm(lab, load)
    await start(lab, rootOf(lab), torrent)
    return {
      bytes: bytesOf(load),
      go: async () => {
        await Promise.all(takersOf(lab).map((taker) => start(lab, taker.name, torrent)))
        return Date.now()
      },
    }
  }
  return { name, needs: { ...swarmNeeds, ...client.needs }, prepare }
}
