// What is on the machine, and what banyan remembers of having put there.

import * as v from 'valibot'
import { type Kind, kindSchema } from '../model/manifest.ts'
import {
  countSchema,
  type PackageName,
  type PackageVersion,
  packageNameSchema,
  packageVersionSchema,
  type Sha256,
  sha256Schema,
} from '../model/names.ts'
import { parserOf } from '../model/parse.ts'

/** One installed package as its provider sees it now. A package that is not installed has no Actual. */
export interface Actual {
  name: PackageName
  kind: Kind
  version: PackageVersion
  /** broken: not wholly installed. drifted: it was whole, and its files have been changed since. */
  state: 'whole' | 'broken' | 'drifted'
  /** One line for a person: what is wrong. Empty if `state` is whole. */
  found: string
  /** The package is broken because a package manager was ended while it worked on it. */
  interrupted?: true
  /** The administrator of the machine wants no change of the package (`apt-mark hold`). */
  held: boolean
  /** The payload it came from, where the machine itself knows that; null otherwise. */
  payload: Sha256 | null
}

export const installedRecordSchema = v.strictObject({
  name: packageNameSchema,
  kind: kindSchema,
  version: packageVersionSchema,
  manifest: sha256Schema,
  payload: sha256Schema,
  /** Of the plan that it was installed by. */
  revision: countSchema,
  /** unfinished: banyan put it there, and it did not end well. It is ours to remove, and not yet what was wanted. */
  state: v.picklist(['installed', 'unfinished']),
  /** Some version of it was there before banyan touched it: it is not ours to remove when the policy falls silent. */
  foundThere: v.optional(v.boolean(), false),
})
/** What banyan itself installed. */
export type InstalledRecord = v.InferOutput<typeof installedRecordSchema>
export const parseInstalledRecords = parserOf(v.array(installedRecordSchema))
