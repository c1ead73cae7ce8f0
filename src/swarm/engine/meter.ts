// Lets bytes pass at the rates that hold, in one direction: in or out. All that passes goes by one of two ways, over links
// between sites or within this one; the node's own rate is for both, the link's for the first.
//
// Who passes may overdraw and the next one waits until that is paid: so nothing has to be cut into parts, and a rate holds
// over any longer time. Background waits while foreground does, apart from a small share that it gets in any case. Where
// no rate is set it cannot be known what foreground leaves; there background gets only that share while foreground moves.

import { limits } from '../../model/limits.ts'
import type { Rates } from '../../model/units/rates.ts'
import type { Clock, Timer } from '../../world/world.ts'

/** Who wants bytes to pass. Asked anew each time, since what it says may change. */
export interface Lane {
  isBackground(): boolean
  isElsewhere(): boolean
}

/** Bytes per second; null means no limit. */
export interface MeterRates {
  node: number | null
  link: number | null
}

export interface Meter {
  setRates(rates: MeterRates): void
  /** Calls back once so many bytes may pass, at once if they may now. False says that they did not, after all. */
  pass(bytes: number, lane: Lane, go: () => boolean): void
  /** What passed without asking. */
  spend(bytes: number, lane: Lane): void
  /** Whether anything may pass there at all. */
  isOpen(lane: Lane): boolean
}

/** Of all that a node gives and takes as pieces. */
export interface Meters {
  upload: Meter
  download: Meter
  setRates(rates: Rates): void
}

export function openMeters(parts: { clock: Pick<Clock, 'monotonicMs' | 'after'>; rates: Rates }): Meters {
  const { clock } = parts
  const [upload, download] = [openMeter({ clock }), openMeter({ clock })]
  const setRates = ({ link, ...node }: Rates) => {
    upload.setRates({ node: node.upload, link: link?.upload ?? null })
    download.setRates({ node: node.download, link: link?.download ?? null })
  }
  setRates(parts.rates)
  return { upload, download, setRates }
}

interface Waiting {
  bytes: number
  lane: Lane
  go: () => boolean
}

/** What one rate allows. Without a rate it only watches how fast foreground is. */
interface Bucket {
  rate: number | null
  bytes: number
  /** What is left of background's own share. */
  share: number
  atMs: number
  /** Bytes per second of foreground, over about the last second. */
  speed: number
  foregroundAtMs: number
}

/** Without any limit at first. */
export function openMeter({ clock }: { clock: Pick<Clock, 'monotonicMs' | 'after'> }): Meter {
  const startMs = clock.monotonicMs()
  const newBucket = (): Bucket => {
    return { rate: null, bytes: 0, share: 0, atMs: startMs, speed: 0, foregroundAtMs: Number.NEGATIVE_INFINITY }
  }
  const [node, link, site] = [newBucket(), newBucket(), newBucket()]
  const waiting: Waiting[] = []
  let timer: Timer | undefined
  let isLetting = false

  /** Of a way without a rate it is watched how fast foreground is; a rate of the node says more. */
  const bucketsOf = (lane: Lane) => {
    const way = lane.isElsewhere() ? link : site
    return node.rate === null ? [way] : way.rate === null ? [node] : [node, way]
  }
  const refillAll = () => {
    for (const bucket of [node, link, site]) refill(bucket, clock.monotonicMs())
  }
  const take = (bytes: number, lane: Lane) => {
    for (const bucket of [node, lane.isElsewhere() ? link : site]) {
      if (bucket.rate !== null) bucket.bytes -= bytes
      // Background that passes although its share is used up passes because foreground leaves room.
      if (lane.isBackground() && bucket.share >= 0) bucket.share -= bytes
      if (lane.isBackground()) continue
      bucket.speed += bytes
      bucket.foregroundAtMs = clock.monotonicMs()
    }
  }
  const go = (one: Waiting) => {
    take(one.bytes, one.lane)
    if (!one.go()) take(-one.bytes, one.lane)
  }
  const delayMs = ({ lane }: Waiting, contended: ReadonlySet<Bucket>): number => {
    const nowMs = clock.monotonicMs()
    const delays = bucketsOf(lane).map((bucket) =>
      lane.isBackground() ? backgroundMs(bucket, nowMs, contended.has(bucket)) : foregroundMs(bucket),
    )
    return Math.max(...delays)
  }
  const contendedBy = (ones: readonly Waiting[]) => {
    return new Set(ones.flatMap(({ lane }) => (lane.isBackground() ? [] : bucketsOf(lane))))
  }
  /** Those that waited longest come first; background with its share, or where nothing else waits for the same. */
  const letPass = () => {
    if (isLetting) return
    isLetting = true
    refillAll()
    for (let passed = true; passed; ) {
      passed = false
      for (const background of [true, false]) {
        const contended = contendedBy(waiting)
        /** A share that one waits with for another rate is not used up by those who came later. */
        const kept = new Set<Bucket>()
        for (const one of waiting.filter(({ lane }) => lane.isBackground() === background)) {
          const buckets = bucketsOf(one.lane)
          if (delayMs(one, contended) > 0 || buckets.some((bucket) => kept.has(bucket))) {
            for (const bucket of buckets) if (background && contended.has(bucket)) kept.add(bucket)
            continue
          }
          waiting.splice(waiting.indexOf(one), 1)
          go(one)
          passed = true
        }
      }
    }
    isLetting = false
    timer?.cancel()
    const contended = contendedBy(waiting)
    const ms = Math.min(limits.meterLookMs, ...waiting.map((one) => delayMs(one, contended)))
    timer = waiting.length === 0 ? undefined : clock.after(Math.max(1, Math.ceil(ms)), letPass)
  }
  return {
    setRates: (rates) => {
      refillAll()
      node.rate = rates.node
      link.rate = rates.link
      // What is owed at a high rate would take for ever at a low one.
      for (const bucket of [node, link]) bucket.bytes = Math.max(bucket.bytes, -(bucket.rate ?? 0))
      letPass()
    },
    pass: (bytes, lane, act) => {
      const one = { bytes, lane, go: act }
      const isNext = !waiting.some((other) => lane.isBackground() || !other.lane.isBackground())
      if (isNext && !isLetting) {
        refillAll()
        if (delayMs(one, none) <= 0) return go(one)
      }
      waiting.push(one)
      letPass()
    },
    spend: take,
    isOpen: (lane) => [node, lane.isElsewhere() ? link : site].every(({ rate }) => rate !== 0),
  }
}

const none: ReadonlySet<Bucket> = new Set()

function backgroundMs(bucket: Bucket, nowMs: number, isContended: boolean): number {
  if (bucket.rate === 0) return Number.POSITIVE_INFINITY
  const shareMs = (-bucket.share / shareOf(bucket)) * 1000
  if (bucket.rate === null) return Math.min(bucket.foregroundAtMs + limits.foregroundQuietMs - nowMs, shareMs)
  return Math.max(foregroundMs(bucket), isContended ? shareMs : 0)
}

function foregroundMs({ rate, bytes }: Bucket): number {
  if (rate === null || bytes > 0) return 0
  return rate === 0 ? Number.POSITIVE_INFINITY : ((1 - bytes) / rate) * 1000
}

/** Bytes per second that background gets in any case. */
function shareOf({ rate, speed }: Bucket): number {
  const least = Math.min(rate ?? Number.POSITIVE_INFINITY, limits.backgroundMinBytesPerSecond)
  return Math.max(least, (rate ?? speed) * limits.backgroundShare)
}

function refill(bucket: Bucket, nowMs: number): void {
  const seconds = (nowMs - bucket.atMs) / 1000
  bucket.atMs = nowMs
  bucket.speed *= Math.exp(-seconds)
  const gained = (rate: number, held: number) => Math.min(held + rate * seconds, Math.max(held, rate * limits.burstS))
  if (bucket.rate !== null) bucket.bytes = gained(bucket.rate, bucket.bytes)
  bucket.share = gained(shareOf(bucket), bucket.share)
}
