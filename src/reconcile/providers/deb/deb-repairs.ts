// What makes dpkg's database usable again, or usable at all.

import path from 'node:path'
import type { RunResult } from '../../../world/world.ts'
import { conffileAnswers, dpkgSettings } from './deb-settings.ts'
import type { DebTools } from './deb-tools.ts'

export interface DebRepairs {
  /** Makes an empty database below a target root that has none. */
  makeDatabase(): Promise<void>
  /** Configures every package that was left unpacked, and runs its scripts. */
  configureAll(): Promise<RunResult>
  /** Folds in what a killed dpkg left in its own journal. Runs no script. */
  closeJournal(): Promise<RunResult>
}

export function debRepairsFor(tools: DebTools): DebRepairs {
  const { targetRoot, database, disk, waits, dpkgOptions, run } = tools
  return {
    async makeDatabase() {
      for (const name of ['info', 'updates', 'triggers']) await disk.makeFolder(path.join(database, name))
      for (const name of ['var/log/apt', 'var/lib/apt', 'etc/apt/apt.conf.d', 'etc/apt/preferences.d']) {
        await disk.makeFolder(path.join(targetRoot, name))
      }
      for (const name of ['available', 'status']) {
        const file = path.join(database, name)
        if ((await disk.stat(file)) === undefined) await disk.write(file, '')
      }
    },

    async configureAll() {
      const answers = conffileAnswers(await dpkgSettings(tools), '')
      return await run('dpkg', [...dpkgOptions, ...answers, '--configure', '-a'], waits.repairMs)
    },

    closeJournal: () => run('dpkg', [...dpkgOptions, '--set-selections'], waits.queryMs),
  }
}
