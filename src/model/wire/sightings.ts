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
})
export type Sighting = v.InferOutput<typeof sightingSchema>

export const sightingsSchema = v.strictObject({
  /** By run, the newest at the end. */
  runs: v.pipe(v.array(sightingSchema), v.maxLength(limits.sightingsKept)),
  /** By start of the machine, the newest at the end. */
  boots: v.pipe(v.array(sightingSchema), v.maxLength(limits.sightingsKept)),
})
export type Sightings = v.InferOutput<typeof sightingsSchema>

/**
 * The machines that report as one node just now, if they are more than one; empty otherwise. Each of
 * two crosses the other: that takes two daemons at once. Pure.
 */
export function machinesAt(sightings: Sightings | undefined, now: Instant): Sighting[] {
  if (sightings === undefined) return []
  const runs = mutual(sightings.runs, ({ run }) => run, now)
  return runs.length > 0 ? runs : mutual(sightings.boots, ({ boot = '' }) => boot, now)
}

function mutual(sightings: readonly Sighting[], idOf: (machine: Machine) => string, now: Instant): Sighting[] {
  const isLate = (at: Instant | undefined) => at === undefined || now - at > limits.clonesToldMs
  const crosses = (one: Sighting, other: Sighting) => !isLate(one.crosses[idOf(other.machine)])
  const found = sightings.filter(
    (one) => !isLate(one.at) && sightings.some((other) => other !== one && crosses(one, other) && crosses(other, one)),
  )
  return found.length > 1 ? found : []
}

/** For a person. */
export function clonesText(node: NodeName, machines: readonly Pick<Sighting, 'machine'>[]): string {
  const places = machines.map(({ machine: { addresses } }) => addresses.join(', ') || 'an unknown address')
  return (
    `${node} runs on ${machines.length} machines at once, with copies of one home: ${places.join(' and ')}. ` +
    'On all of them but one: banyan join --again TOKEN --name NAME'
  )
}
