// What is told of a database that was damaged: in the report, in `status`, by the doctor.

import * as v from 'valibot'
import { limits } from '../../model/limits.ts'
import { instantSchema } from '../../model/names.ts'
import type { Clock } from '../../world/world.ts'
import type { Event } from '../state/events.ts'

export const incidentSchema = v.strictObject({
  at: instantSchema,
  /** Continues "the database was damaged: ". */
  because: v.string(),
  /** Where the damaged one is; null if there is nothing of it. */
  aside: v.nullable(v.string()),
})
export type DatabaseIncident = v.InferOutput<typeof incidentSchema>

/** For the report and for a person. */
export function incidentText({ at, because, aside }: DatabaseIncident): string {
  const what = `the database was damaged (${because}) and was rebuilt at ${new Date(at).toISOString()}`
  const rest = aside === null ? '' : `; the damaged one is in ${aside}`
  return `${what}; what was installed is known from its copy${rest}. See whether the disk fails`
}

/** Tells of damage for a while. */
export function watchDatabase(
  store: { incident(): DatabaseIncident | null; onIncident(listener: () => void): void },
  { clock, dispatch }: { clock: Pick<Clock, 'after'>; dispatch: (event: Event) => void },
): void {
  const look = () => {
    const incident = store.incident()
    dispatch({ kind: 'database-looked', problem: incident && incidentText(incident) })
    if (incident !== null) clock.after(limits.databaseToldMs, look)
  }
  store.onIncident(look)
  look()
}
