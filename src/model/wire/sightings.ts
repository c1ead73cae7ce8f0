// Which machines reported as one node: a home that was copied to another machine makes two of them.

import * as v from 'valibot'
import { limits } from '../limits.ts'
import { countSchema, type Instant, instantSchema, lineSchema, type NodeName } from '../names.ts'

const markSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))

/** By what a machine is told from another one. The ids are hashes; nobody learns the ids themselves. */
export const machineSchema = v.strictObject({
  /** Of /etc/machine-id; absent where there is none. Machines made from one image may share it. */
  id: v.exactOptional(markSchema),
  /** Of this start of the machine; absent where the kernel does not say. */
  boot: v.exactOptional(markSchema),
  /** Drawn by each daemon when it starts. */
  run: markSchema,
  /** The machine's own addresses. */
  addresses: v.pipe(v.array(lineSchema), v.maxLength(limits.machineAddressesMax)),
})
export type Machine = v.InferOutput<typeof machineSchema>

/** The reports of one run of a daemon, or of one start of a machine. */
const sightingSchema = v.strictObject({
  machine: machineSchema,
  /** The lowest and the highest counter of its reports. */
  low: countSchema,
  high: countSchema,
  /** When the last of them arrived here. */
  at: instantSchema,
  state: lineSchema,
  converged: v.nullable(countSchema),
  /** Whose counters lie between those of this one, and when that was seen last. */
  crosses: v.record(markSchema, instantSchema),
  /** Who had news since the last news of this one. */
  others: v.optional(v.record(markSchema, instantSchema), {}),
  /** Whose news arrived between two news of this one, and when that was seen last. */
  turns: v.optional(v.record(markSchema, instantSchema), {}),
})
export type Sighting = v.InferOutput<typeof sightingSchema>

export const sightingsSchema = v.strictObject({
  /** By run, the newest at the end. */
  runs: v.pipe(v.array(sightingSchema), v.maxLength(limits.sightingsKept)),
  /** By start of the machine, the newest at the end. */
  boots: v.pipe(v.array(sightingSchema), v.maxLength(limits.sightingsKept)),
  /** When two machines at once were seen first, and last. */
  cloned: v.exactOptional(v.strictObject({ first: instantSchema, last: instantSchema })),
})
export type Sightings = v.InferOutput<typeof sightingsSchema>

/**
 * The machines that report as one node just now, if they are more than one; empty otherwise. Each of
 * two crosses the other, by its counters and by the order of arrival: that takes two daemons at once. A
 * disk that is put back to an earlier state crosses by counters alone, if they are ahead of the clock.
 * Pure.
 */
export function machinesAt(sightings: Sightings | undefined, now: Instant): Sighting[] {
  if (sightings === undefined) return []
  const runs = mutual(sightings.runs, ({ run }) => run, now)
  return runs.length > 0 ? runs : mutual(sightings.boots, ({ boot = '' }) => boot, now)
}

function mutual(sightings: readonly Sighting[], idOf: (machine: Machine) => string, now: Instant): Sighting[] {
  // A time ahead of ours was noted by a clock that has been set right since.
  const isLate = (at: Instant | undefined) => at === undefined || Math.abs(now - at) > limits.clonesToldMs
  const crosses = (one: Sighting, other: Sighting) => {
    const id = idOf(other.machine)
    return !isLate(one.crosses[id]) && !isLate(one.turns[id])
  }
  const found = sightings.filter(
    (one) => !isLate(one.at) && sightings.some((other) => other !== one && crosses(one, other) && crosses(other, one)),
  )
  return found.length > 1 ? found : []
}

/** For a person. */
export function clonesText(
  node: NodeName,
  machines: readonly Pick<Sighting, 'machine'>[],
  cloned?: Sightings['cloned'],
): string {
  const places = machines.map(({ machine: { addresses } }) => addresses.join(', ') || 'an unknown address')
  const minute = (at: Instant) => `${new Date(at).toISOString().slice(0, 16)}Z`
  const seen = cloned === undefined ? '' : `, first seen ${minute(cloned.first)}, last ${minute(cloned.last)}`
  return (
    `${node} runs on ${machines.length} machines at once, with copies of one home: ${places.join(' and ')}${seen}. ` +
    'On all of them but one: banyan join --again TOKEN --name NAME'
  )
}
