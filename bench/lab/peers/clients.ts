// aria2 and transmission: every machine in one swarm, with their ordinary settings but for what
// would look outside the lab. No local discovery either, which both have off by default: the lab's
// links are bridges and would carry it over the WAN.

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
  args(machine: { folder: string; torrent: string }): string[]
  /** Files for its folder. */
  files(machine: { address: string }): Record<string, string>
  /** What it says once it has everything. */
  done: RegExp
}

export const aria2: System = systemOf('aria2 swarm', {
  needs: { aria2c: 'aria2' },
  program: 'aria2c',
  args: ({ folder, torrent }) => [
    ...['--no-conf', '--enable-dht=false', '--enable-dht6=false', '--disable-ipv6=true', '--seed-ratio=0'],
    ...['--check-integrity=true', '--console-log-level=notice', '--summary-interval=0', '--show-console-readout=false'],
    // It says "Download complete" when it has stopped to seed.
    `--on-bt-download-complete=${path.join(folder, 'complete.sh')}`,
    torrent,
  ],
  files: () => ({ 'complete.sh': '#!/bin/sh\necho; echo complete\n' }),
  done: /^complete$|Verification finished successfully/m,
})

export const transmission: System = systemOf('transmission swarm', {
  needs: { 'transmission-cli': 'transmission-cli' },
  program: 'stdbuf',
  // It says how it stands without ever ending a line.
  args: ({ folder, torrent }) => ['-o0', 'transmission-cli', '-g', folder, '-w', folder, '-M', '-D', '-U', torrent],
  files: ({ address }) => ({
    'settings.json': JSON.stringify({ 'dht-enabled': false, 'bind-address-ipv4': address }),
  }),
  done: /Seeding/,
})

function systemOf(name: string, client: Client): System {
  const start = async (lab: Lab, machine: string, torrent: string) => {
    const folder = path.join(lab.folder, machine)
    for (const [file, text] of Object.entries(client.files({ address: lab.address(machine) }))) {
      await writeFile(path.join(folder, file), text, { mode: 0o755 })
    }
    return lineOf(
      lab.spawn(machine, client.program, client.args({ folder, torrent })),
      client.done,
      `${name} on ${machine}`,
    )
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
