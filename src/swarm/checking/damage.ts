// What the disk of this node has damaged lately, for the report and for a person.

import * as v from 'valibot'
import { limits } from '../../model/limits.ts'
import { countSchema, type Instant, instantSchema, packageNameSchema, packageVersionSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'

const damageSchema = v.strictObject({
  /** The pieces that were found damaged between the two times. */
  pieces: countSchema,
  since: instantSchema,
  last: instantSchema,
  /** The package of the last. */
  name: packageNameSchema,
  version: packageVersionSchema,
})
export type Damage = v.InferOutput<typeof damageSchema>
export const parseDamage = parserOf(damageSchema)

/** Old damage is forgotten. */
export function damageAfter(
  known: Damage | null,
  { pieces, name, version }: Pick<Damage, 'pieces' | 'name' | 'version'>,
  now: Instant,
): Damage {
  const before = standingDamage(known, now)
  return { pieces: (before?.pieces ?? 0) + pieces, since: before?.since ?? now, last: now, name, version }
}

/** Null once nothing was damaged for a while. */
export function standingDamage(known: Damage | null, now: Instant): Damage | null {
  return known === null || now - known.last >= limits.damageToldMs ? null : known
}

/** For a person; null if there is nothing to say. */
export function damageTextOf(known: Damage | null, now: Instant): string | null {
  const damage = standingDamage(known, now)
  if (damage === null) return null
  const { pieces, since, name, version } = damage
  const count = pieces === 1 ? '1 piece' : `${pieces} pieces`
  const at = new Date(since).toISOString()
  return `disk: ${count} of stored payloads found damaged since ${at}, last of ${name} ${version}, and fetched again`
}
