// One run: a system brings its load through a scenario's links.

import type { Load } from './load.ts'
import type { Measured } from './measured.ts'
import { coreSeconds } from './processes.ts'
import type { Scenario } from './scenarios.ts'
import type { Lab } from './site.ts'
import type { System } from './system.ts'

/** For what was started to come to rest. */
const restMs = 2_000
/** One that needs longer has failed. */
const giveUpMs = 1_200_000

export async function measure(
  lab: Lab,
  scenario: Scenario,
  system: System,
  load: Load,
  commit: string,
): Promise<Measured> {
  const prepared = await system.prepare(lab, load, { trouble: scenario.trouble, settles: scenario.isForTests === true })
  await new Promise((resolve) => setTimeout(resolve, restMs))
  const [linksBefore, coresBefore] = [await lab.counted(), await coreSeconds()]
  const startedAt = Date.now()
  const endedAt = await inTime(prepared.go())
  const [linksAfter, coresAfter] = [await lab.counted(), await coreSeconds()]
  return {
    scenario: scenario.name,
    system: system.name,
    at: new Date(startedAt).toISOString(),
    commit,
    bytes: prepared.bytes,
    seconds: (endedAt - startedAt) / 1000,
    idealSeconds: scenario.mbit === null ? null : (prepared.bytes * 8) / (scenario.mbit * 1e6),
    links: linksAfter.map(({ bytes, withHeaders }, index) => ({
      bytes: bytes - (linksBefore[index]?.bytes ?? 0),
      withHeaders: withHeaders - (linksBefore[index]?.withHeaders ?? 0),
    })),
    busy: (coresAfter.busy - coresBefore.busy) / (coresAfter.all - coresBefore.all),
    details: (await prepared.details?.()) ?? {},
  }
}

async function inTime(work: Promise<number>): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${giveUpMs / 1000} s`)), giveUpMs)
  })
  // What is stopped when the lab closes fails once more, and nobody waits for it then.
  work.catch(() => {})
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
