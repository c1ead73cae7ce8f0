// The settings of one node (`node.yaml`).

import * as v from 'valibot'
import {
  labelsSchema,
  lineSchema,
  type NodeName,
  nodeNameSchema,
  packageNameSchema,
  portSchema,
  wordSchema,
} from './names.ts'
import { nodeLimitsEntries } from './node-limits.ts'
import { parserOf } from './parse.ts'
import { controlPortDefault, swarmPortDefault } from './ports.ts'
import { durationSchema } from './units/durations.ts'
import { rateSchema } from './units/rates.ts'

/** The ports that BitTorrent trackers and clients use by custom. */
const plainAnnouncePortDefault = 6969
const plainSwarmPortDefault = 6881

/** With this setting, the node lets ordinary BitTorrent clients in, without TLS. */
const plainSchema = v.strictObject({
  announcePort: v.optional(portSchema, plainAnnouncePortDefault),
  swarmPort: v.optional(portSchema, plainSwarmPortDefault),
  /** The address to listen at. Default: that of the node's other ports. */
  listen: v.exactOptional(lineSchema),
  /**
   * The name of this node in .torrent files. Default: the address that it listens at, or the name
   * of the machine.
   */
  address: v.exactOptional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, 'expected an address or the name of a machine')),
  ),
})

/** `https://ADDRESS:PORT`, or `https://NAME@ADDRESS:PORT` if only the node NAME is the parent. */
export const parentUrlSchema = v.pipe(
  lineSchema,
  v.check((text) => {
    // The URL parser also takes blanks before, `https:NAME@ADDRESS` and backslashes. A name that only
    // the parser sees would not be taken out of the text.
    if (!/^https:\/\/[^\s/\\]+\/?$/i.test(text)) return false
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.password !== '') return false
    return url.username === '' || v.is(nodeNameSchema, url.username)
  }, 'expected https://ADDRESS:PORT or https://NAME@ADDRESS:PORT'),
)

export interface ParentPlace {
  /** `https://ADDRESS:PORT`. */
  url: string
  /** Undefined if the settings do not say which node is there. */
  name: NodeName | undefined
}

/** The two parts of a text that `parentUrlSchema` has accepted. */
export function parentPlaceOf(text: string): ParentPlace {
  const { username } = new URL(text)
  if (username === '') return { url: text, name: undefined }
  return { url: text.replace(/^(https:\/\/)[^@]*@/i, '$1'), name: username as NodeName }
}

/** The inverse of `parentPlaceOf`. */
export function parentTextOf({ url, name }: ParentPlace): string {
  return name === undefined ? url : url.replace('://', `://${name}@`)
}

export const settingsSchema = v.strictObject({
  name: nodeNameSchema,
  /** See `parentUrlSchema`. In order of preference; a root has none. */
  parents: v.optional(v.array(parentUrlSchema), []),
  /** Default: the network from which the tracker sees this node call. */
  site: v.exactOptional(wordSchema),
  labels: v.optional(labelsSchema, {}),
  listen: v.optional(lineSchema, '0.0.0.0'),
  controlPort: v.optional(portSchema, controlPortDefault),
  swarmPort: v.optional(portSchema, swarmPortDefault),
  plain: v.exactOptional(plainSchema),
  /** Packages are installed below this folder. */
  targetRoot: v.optional(lineSchema, '/'),
  ...nodeLimitsEntries,
  /**
   * What the link of the node's site can carry. It limits nothing; transfers are compared with it.
   */
  linkRate: v.exactOptional(rateSchema),
  /** Packages whose payloads are never evicted. */
  pins: v.exactOptional(v.array(packageNameSchema)),
  /** How often the machine is inspected when nothing happens: `10m`. */
  checkInterval: v.exactOptional(durationSchema),
  /**
   * How long a signed timestamp holds: `7d`. The root renews it after a quarter of that. Root only.
   */
  timestampLifetime: v.exactOptional(durationSchema),
})
export type Settings = v.InferOutput<typeof settingsSchema>

export const parseSettings = parserOf(settingsSchema)
