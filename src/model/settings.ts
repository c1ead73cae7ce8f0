// The settings of one node (`node.yaml`).

import * as v from 'valibot'
import {
  countSchema,
  labelsSchema,
  lineSchema,
  nodeNameSchema,
  packageNameSchema,
  portSchema,
  wordSchema,
} from './names.ts'
import { nodeLimitsEntries } from './node-limits.ts'
import { parserOf } from './parse.ts'
import { controlPortDefault, swarmPortDefault } from './ports.ts'
import { rateSchema } from './units/rates.ts'

/** Those that trackers and clients have by custom. */
const plainAnnouncePortDefault = 6969
const plainSwarmPortDefault = 6881

/** Ordinary BitTorrent clients are let in, in the clear. */
const plainSchema = v.strictObject({
  announcePort: v.optional(portSchema, plainAnnouncePortDefault),
  swarmPort: v.optional(portSchema, plainSwarmPortDefault),
  /** Default: as the node's other ports. */
  listen: v.exactOptional(lineSchema),
  /** What .torrent files call this node; default: the address it listens at, or the name of the machine. */
  address: v.exactOptional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, 'expected an address or the name of a machine')),
  ),
})

export const parentUrlSchema = v.pipe(
  lineSchema,
  v.check((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url?.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.username === ''
  }, 'expected https://ADDRESS:PORT'),
)

export const settingsSchema = v.strictObject({
  name: nodeNameSchema,
  /** Parents in order of preference; a root has none. */
  parents: v.optional(v.array(parentUrlSchema), []),
  /** Default: the network that the tracker sees this node in. */
  site: v.exactOptional(wordSchema),
  labels: v.optional(labelsSchema, {}),
  listen: v.optional(lineSchema, '0.0.0.0'),
  controlPort: v.optional(portSchema, controlPortDefault),
  swarmPort: v.optional(portSchema, swarmPortDefault),
  plain: v.exactOptional(plainSchema),
  /** Packages are installed below this folder. */
  targetRoot: v.optional(lineSchema, '/'),
  ...nodeLimitsEntries,
  /** What the link of its site brings in. It limits nothing: transfers are compared with it. */
  linkRate: v.exactOptional(rateSchema),
  /** Packages whose payloads are never evicted. */
  pins: v.exactOptional(v.array(packageNameSchema)),
  /** Milliseconds between two looks at the machine when nothing happens. */
  checkInterval: v.exactOptional(countSchema),
  /** Milliseconds that a signed timestamp lives; the root renews it after a quarter of that. Root only. */
  timestampLifetime: v.exactOptional(countSchema),
})
export type Settings = v.InferOutput<typeof settingsSchema>

export const parseSettings = parserOf(settingsSchema)
