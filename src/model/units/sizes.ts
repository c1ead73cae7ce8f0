// Sizes as people write them: `50GB`, `10GiB`, or a plain number of bytes.

import * as v from 'valibot'
import { countSchema } from '../names.ts'

const unitBytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

const sizeMessage = 'expected a size such as 50GB, 10GiB, or a whole number of bytes'

/** A size as written; `bytesOfSize` converts it. */
export const sizeSchema = v.union(
  [
    countSchema,
    v.pipe(
      v.string(),
      v.check((text) => sizeFrom(text) !== undefined, sizeMessage),
    ),
  ],
  sizeMessage,
)
export type WrittenSize = v.InferOutput<typeof sizeSchema>

export function bytesOfSize(size: WrittenSize): number {
  const bytes = typeof size === 'number' ? size : sizeFrom(size)
  if (bytes === undefined) throw new TypeError('its schema lets only sizes through')
  return bytes
}

function sizeFrom(text: string): number | undefined {
  const [, count, unit = 'B'] = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]+)?$/.exec(text) ?? []
  const factor = Object.hasOwn(unitBytes, unit) ? unitBytes[unit] : undefined
  return count === undefined || factor === undefined ? undefined : Math.floor(Number(count) * factor)
}
