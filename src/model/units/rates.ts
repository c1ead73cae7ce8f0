// Rates in bytes per second: how people write them, and which of them apply at a given time. Pure.

import * as v from 'valibot'
import { countSchema, type Instant } from '../names.ts'
import { isOpen, localTimesOf, nextChangeOf, writtenTimesEntries } from './local-times.ts'

/** `Mb/s` and `mb/s` are missing on purpose: some people mean bits by them, others bytes. */
const unitBytes: Readonly<Record<string, number>> = {
  'B/s': 1,
  'kB/s': 1e3,
  'KB/s': 1e3,
  'MB/s': 1e6,
  'GB/s': 1e9,
  'KiB/s': 2 ** 10,
  'MiB/s': 2 ** 20,
  'GiB/s': 2 ** 30,
  bit: 1 / 8,
  kbit: 1e3 / 8,
  mbit: 1e6 / 8,
  gbit: 1e9 / 8,
}

const rateMessage = 'expected a rate such as 10mbit, 2MB/s, unlimited, or a whole number of bytes per second'

/** A rate as written; `bytesPerSecond` converts it. */
export const rateSchema = v.union(
  [
    countSchema,
    v.pipe(
      v.string(),
      v.check((text) => rateFrom(text) !== undefined, rateMessage),
    ),
  ],
  rateMessage,
)
export type WrittenRate = v.InferOutput<typeof rateSchema>

/** In whole bytes per second; null means no limit. */
export function bytesPerSecond(rate: WrittenRate): number | null {
  const bytes = typeof rate === 'number' ? rate : rateFrom(rate)
  if (bytes === undefined) throw new TypeError('its schema lets only rates through')
  return bytes
}

function rateFrom(text: string): number | null | undefined {
  if (text === 'unlimited') return null
  const [, count, unit = 'B/s'] = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]+(?:\/s)?)?$/.exec(text) ?? []
  // Bits can be read in one way only, so their spelling does not matter.
  const bits = unit.toLowerCase().replace('/s', '')
  const name = bits.endsWith('bit') ? bits : unit
  const factor = Object.hasOwn(unitBytes, name) ? unitBytes[name] : undefined
  return count === undefined || factor === undefined ? undefined : Math.floor(Number(count) * factor)
}

const rateKeys = ['uploadLimit', 'downloadLimit', 'linkUploadLimit', 'linkDownloadLimit'] as const

const rateEntries = {
  uploadLimit: v.exactOptional(v.pipe(rateSchema, v.description('what the node gives at most, e.g. 20MB/s'))),
  downloadLimit: v.exactOptional(v.pipe(rateSchema, v.description('what the node takes at most'))),
  linkUploadLimit: v.exactOptional(
    v.pipe(rateSchema, v.description('what it gives to other sites at most, e.g. 10mbit; its own site is free')),
  ),
  linkDownloadLimit: v.exactOptional(v.pipe(rateSchema, v.description('what it takes from other sites at most'))),
}

export const bandwidthEntries = {
  ...rateEntries,
  limitTimes: v.exactOptional(
    v.pipe(
      v.array(
        v.strictObject({ ...writtenTimesEntries, ...rateEntries }, 'expected days, from, until and limits'),
        'expected a list of times with limits',
      ),
      v.description('other limits at some times of the week, in the local time of the node; later ones win'),
    ),
  ),
}

const bandwidthSchema = v.object(bandwidthEntries)
/** The bandwidth limits in the settings of a node, or in one part of the policy. */
export type Bandwidth = v.InferOutput<typeof bandwidthSchema>

const directionsSchema = v.strictObject({ upload: v.nullable(countSchema), download: v.nullable(countSchema) })

/** In bytes per second. Null means no limit; 0 means that nothing may pass. */
export const ratesSchema = v.strictObject({
  ...directionsSchema.entries,
  /** The part of it that may go to and come from other sites. Absent means no limit. */
  link: v.exactOptional(directionsSchema),
})
export type Rates = v.InferOutput<typeof ratesSchema>

export const unlimited: Required<Rates> = { upload: null, download: null, link: { upload: null, download: null } }

/**
 * The rates that apply now, and when that may change next. Later layers win, key by key. Within a
 * layer, the last of the `limitTimes` that is open now wins over the layer's own limits.
 */
export function ratesAt(
  layers: readonly Bandwidth[],
  now: Instant,
  zone: string,
): { rates: Required<Rates>; nextChangeAt: Instant | null } {
  const holding = new Map<(typeof rateKeys)[number], number | null>()
  let nextChangeAt: Instant | null = null
  for (const layer of layers) {
    const times = layer.limitTimes ?? []
    for (const limits of [layer, ...times.filter((each) => isOpen(localTimesOf(each), now, zone))]) {
      for (const key of rateKeys) {
        const rate = limits[key]
        if (rate !== undefined) holding.set(key, bytesPerSecond(rate))
      }
    }
    for (const each of times) {
      const at = nextChangeOf(localTimesOf(each), now, zone)
      if (at !== null && (nextChangeAt === null || at < nextChangeAt)) nextChangeAt = at
    }
  }
  const rateOf = (key: (typeof rateKeys)[number]) => holding.get(key) ?? null
  return {
    rates: {
      upload: rateOf('uploadLimit'),
      download: rateOf('downloadLimit'),
      link: { upload: rateOf('linkUploadLimit'), download: rateOf('linkDownloadLimit') },
    },
    nextChangeAt,
  }
}
