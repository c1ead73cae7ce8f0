// The calls of dpkg and apt, aimed at one target root.

import path from 'node:path'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import { type AptCall, runApt } from './deb-apt.ts'
import { type DebInfo, debInfoFor } from './deb-info.ts'
import { debPins, type Pinned } from './deb-pins.ts'
import { type DebQueries, debQueriesFor } from './deb-queries.ts'
import { type DebRepairs, debRepairsFor } from './deb-repairs.ts'
import { conffileAnswers, dpkgSettings } from './deb-settings.ts'
import { type DebProgramParts, debToolsFor } from './deb-tools.ts'

/** All calls of dpkg and apt. */
export interface DebPrograms extends DebQueries, DebRepairs {
  apt(call: AptCall): Promise<RunResult>
  /** dpkg itself, with the answers to its questions. */
  dpkg(args: readonly string[]): Promise<RunResult>
  /** The text of dpkg's database. */
  status(): Promise<string>
  /** dpkg's own records of its packages. */
  info(): Promise<DebInfo>
  /** What the administrator's pins say about a package. */
  pins(): Promise<(name: PackageName) => Pinned | undefined>
}

/** Throws `bad-input` for a target root that is not a plain absolute path. */
export function debProgramsFor(parts: DebProgramParts): DebPrograms {
  const tools = debToolsFor(parts)
  return {
    ...debQueriesFor(tools),
    ...debRepairsFor(tools),
    apt: (call) => runApt(tools, call),
    async dpkg(args) {
      const answers = conffileAnswers(await dpkgSettings(tools), '')
      return await tools.run('dpkg', [...tools.dpkgOptions, ...answers, ...args], tools.waits.transactionMs)
    },
    async status() {
      const file = path.join(tools.database, 'status')
      return new TextDecoder().decode(await tools.disk.read(file, { maxBytes: limits.dpkgStatusMaxBytes }))
    },
    info: debInfoFor(tools),
    pins: () => debPins(tools),
  }
}
