// The journal of one apply: each step, durable before it is done. It is read after an apply that
// was killed.

import * as fs from 'node:fs/promises'
import type { PackageName } from '../../model/names.ts'
import type { Clock } from '../../world/world.ts'

/** One line of the journal. */
export interface JournalLine {
  /** The time in milliseconds since 1970. */
  at: number
  step: string
  /** The package or unit that the step is about. */
  name?: PackageName
}

/** From this step on, the machine may have been changed for the package. */
export const actingStep = 'acting'
/** Before a unit is restarted. A space and the invocation of its present run follow. */
export const restartingStep = 'restarting'
/** After a unit was restarted. */
export const restartedStep = 'restarted'
/** The reason follows. */
export const restartFailedStep = 'restart failed: '
/** The only step of an apply that found another one at work. */
export const refusedStep = 'refused: another apply is at work'

/** Belongs to the apply process alone. */
export interface Journal {
  /** The line is durable when this resolves. */
  write(step: string, name?: PackageName): Promise<void>
  close(): Promise<void>
}

/** Opens the journal for appending, and creates it if it is missing. */
export async function openJournal(file: string, clock: Pick<Clock, 'now'>): Promise<Journal> {
  const handle = await fs.open(file, 'a', 0o600)
  return {
    async write(step, name) {
      const line: JournalLine = { at: clock.now(), step, ...(name === undefined ? {} : { name }) }
      await handle.appendFile(`${JSON.stringify(line)}\n`)
      await handle.datasync()
    },
    close: () => handle.close(),
  }
}

/**
 * The lines of a journal. A line that was being written when the power went is left out, as is one
 * that is damaged.
 */
export function journalLinesOf(bytes: Uint8Array | undefined): JournalLine[] {
  const lines = new TextDecoder().decode(bytes).split('\n').slice(0, -1)
  return lines.flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line)
      if (typeof value !== 'object' || value === null) return []
      const { at, step, name } = value as Record<string, unknown>
      if (typeof at !== 'number' || typeof step !== 'string') return []
      return [{ at, step, ...(typeof name === 'string' ? { name } : {}) }]
    } catch (error) {
      if (error instanceof SyntaxError) return []
      throw error
    }
  })
}
