// What makes dpkg's database usable again, or usable at all.

import path from 'node:path'
import { limits } from '../../../model/limits.ts'
import type { RunResult } from '../../../world/world.ts'
import { conffileAnswers, dpkgSettings } from './deb-settings.ts'
import type { DpkgEntry } from './deb-text.ts'
import type { DebTools } from './deb-tools.ts'

export interface DebRepairs {
  /** Makes an empty database below a target root that has none. */
  makeDatabase(): Promise<void>
  /** Configures every package that was left unpacked, and runs its scripts. */
  configureAll(): Promise<RunResult>
  /**
   * Takes the scripts that dpkg runs before a package goes out of dpkg's reach. Their names, as
   * `shop.prerm`.
   */
  putScriptsAside(entry: Pick<DpkgEntry, 'name' | 'arch'>, workFolder: string): Promise<string[]>
  /** Puts such scripts back where no others have come in their place. */
  putScriptsBack(scripts: readonly string[], workFolder: string): Promise<void>
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

    async putScriptsAside({ name, arch }, workFolder) {
      await disk.makeFolder(path.join(workFolder, 'scripts'), { mode: 0o700 })
      const scripts: string[] = []
      for (const file of [name, `${name}:${arch}`].flatMap((one) => [`${one}.prerm`, `${one}.postrm`])) {
        const own = path.join(database, 'info', file)
        if ((await disk.stat(own))?.kind !== 'file') continue
        const bytes = await disk.read(own, { maxBytes: limits.debControlMaxBytes })
        await disk.write(path.join(workFolder, 'scripts', file), bytes, { mode: 0o700 })
        await disk.remove(own)
        scripts.push(file)
      }
      return scripts
    },

    async putScriptsBack(scripts, workFolder) {
      for (const file of scripts) {
        const own = path.join(database, 'info', file)
        if ((await disk.stat(own)) !== undefined) continue
        const bytes = await disk.read(path.join(workFolder, 'scripts', file), { maxBytes: limits.debControlMaxBytes })
        await disk.write(own, bytes, { mode: 0o755 })
      }
    },

    closeJournal: () => run('dpkg', [...dpkgOptions, '--set-selections'], waits.queryMs),
  }
}
