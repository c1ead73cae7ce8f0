// Lets bytes pass at the rates in force, in one direction: upload or download. Bytes go by one of
// two ways, over links between sites or within this site; the node's own rate is for both ways, the
// link's rate for the first.
//
// Bytes may overdraw a rate, and the next ones wait until that is paid back: so nothing has to be
// cut into parts, and a rate holds over any longer time. Background waits while foreground moves,
// apart from a small share that it gets in any case. Where no rate is set, it cannot be known what
// foreground leaves: background gets only that share while foreground moves.

import { limits } from '../../model/limits.ts'
import type { Rates } from '../../model/units/rates.ts'
import type { Clock, Timer } from '../../world/world.ts'

/** The kind of the bytes that are to pass. Both may change, and are asked each time. */
export interface Lane {
  isBackground(): boolean
  /** Whether they go over a link between sites. */
  isElsewhere(): boolean
}

/** Bytes per second; null means no limit. */
export interface MeterRates {
  node: number | null
  link: number | null
}

export interface Meter {
  setRates(rates: MeterRates): void
  /**
   * Calls `go` once so many bytes may pass, at once if they may now. `go` returns false if they did
   * not pass after all.
   */
  pass(bytes: number, lane: Lane, go: () => boolean): void
  /** Whether anything may pass at all: no rate that applies is 0. */
  isOpen(lane: Lane): boolean
}

/** For all pieces that the node sends and receives. */
export interface Meters {
  upload: Meter
  download: Meter
  setRates(rates: Rates): void
}

export function createMeters(parts: { clock: Pick<Clock, 'monotonicMs' | 'after'>; rates: Rates }): Meters {
  const { clock } = parts
  const [upload, download] = [createMeter({ clock }), createMeter({ clock })]
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

/** What one rate allows. Without a rate it only measures how fast foreground is. */
interface Bucket {
  /** Bytes per second; null means no limit. */
  rate: number | null
  /** What may pass now; negative while it is overdrawn. */
  bytes: number
  /** What is left of background's own share, in bytes. */
  share: number
  /** When it was last refilled, in monotonic milliseconds. */
  atMs: number
  /** Bytes per second of foreground, over about the last second. */
  speed: number
  /** When foreground last passed. */
  foregroundAtMs: number
}

/** Without any limit at first. */
export function createMeter({ clock }: { clock: Pick<Clock, 'monotonicMs' | 'after'> }): Meter {
  return new RatedMeter(clock)
}

class RatedMeter implements Meter {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'after'>
  readonly #node: Bucket
  /** Over links between sites. */
  readonly #link: Bucket
  /** Within this site. Never has a rate. */
  readonly #site: Bucket
  readonly #waiting: Waiting[] = []
  /** While anybody waits. */
  #timer: Timer | undefined
  #isLetting = false

  constructor(clock: Pick<Clock, 'monotonicMs' | 'after'>) {
    this.#clock = clock
    const nowMs = clock.monotonicMs()
    this.#node = unlimited(nowMs)
    this.#link = unlimited(nowMs)
    this.#site = unlimited(nowMs)
  }

  setRates(rates: MeterRates): void {
    this.#refillAll()
    this.#node.rate = rates.node
    this.#link.rate = rates.link
    // A debt made at a high rate would take too long to pay back at a low one.
    for (const bucket of [this.#node, this.#link]) bucket.bytes = Math.max(bucket.bytes, -(bucket.rate ?? 0))
    this.#letPass()
  }

  pass(bytes: number, lane: Lane, act: () => boolean): void {
    const one = { bytes, lane, go: act }
    const isNext = !this.#waiting.some((other) => lane.isBackground() || !other.lane.isBackground())
    if (isNext && !this.#isLetting) {
      this.#refillAll()
      if (this.#delayMs(one, none) <= 0) {
        this.#go(one)
        return
      }
    }
    this.#waiting.push(one)
    this.#letPass()
  }

  /** Counts bytes that pass; a negative number takes them back. */
  #spend(bytes: number, lane: Lane): void {
    for (const bucket of [this.#node, this.#wayOf(lane)]) {
      if (bucket.rate !== null) bucket.bytes -= bytes
      // Background that passes although its share is used up passes because foreground leaves room.
      if (lane.isBackground() && bucket.share >= 0) bucket.share -= bytes
      if (lane.isBackground()) continue
      bucket.speed += bytes
      bucket.foregroundAtMs = this.#clock.monotonicMs()
    }
  }

  isOpen(lane: Lane): boolean {
    return [this.#node, this.#wayOf(lane)].every(({ rate }) => rate !== 0)
  }

  #wayOf(lane: Lane): Bucket {
    return lane.isElsewhere() ? this.#link : this.#site
  }

  /**
   * The buckets that decide. A rate of the node says more than the speed on a way without a rate.
   */
  #bucketsOf(lane: Lane): Bucket[] {
    const way = this.#wayOf(lane)
    if (this.#node.rate === null) return [way]
    return way.rate === null ? [this.#node] : [this.#node, way]
  }

  #refillAll(): void {
    for (const bucket of [this.#node, this.#link, this.#site]) refill(bucket, this.#clock.monotonicMs())
  }

  #go(one: Waiting): void {
    this.#spend(one.bytes, one.lane)
    if (!one.go()) this.#spend(-one.bytes, one.lane)
  }

  #delayMs({ lane }: Waiting, contended: ReadonlySet<Bucket>): number {
    const nowMs = this.#clock.monotonicMs()
    const delays = this.#bucketsOf(lane).map((bucket) =>
      lane.isBackground() ? backgroundMs(bucket, nowMs, contended.has(bucket)) : foregroundMs(bucket),
    )
    return Math.max(...delays)
  }

  /** The buckets that foreground waits for. */
  #contended(): ReadonlySet<Bucket> {
    return new Set(this.#waiting.flatMap(({ lane }) => (lane.isBackground() ? [] : this.#bucketsOf(lane))))
  }

  readonly #letPass = (): void => {
    if (this.#isLetting) return
    this.#isLetting = true
    this.#refillAll()
    for (let passed = true; passed; ) {
      // In each round background first, with its share, or where nothing else waits for the same
      // rate.
      const background = this.#letPassOf(true)
      passed = this.#letPassOf(false) || background
    }
    this.#isLetting = false
    this.#timer?.cancel()
    const contended = this.#contended()
    const ms = Math.min(limits.meterLookMs, ...this.#waiting.map((one) => this.#delayMs(one, contended)))
    this.#timer = this.#waiting.length === 0 ? undefined : this.#clock.after(Math.max(1, Math.ceil(ms)), this.#letPass)
  }

  /** Lets everything pass that may, in the order of waiting. Returns whether anything did. */
  #letPassOf(background: boolean): boolean {
    const contended = this.#contended()
    /** Shares that one waits with for another rate; those who came later must not use them up. */
    const kept = new Set<Bucket>()
    let passed = false
    for (const one of this.#waiting.filter(({ lane }) => lane.isBackground() === background)) {
      const buckets = this.#bucketsOf(one.lane)
      if (this.#delayMs(one, contended) > 0 || buckets.some((bucket) => kept.has(bucket))) {
        for (const bucket of buckets) if (background && contended.has(bucket)) kept.add(bucket)
        continue
      }
      this.#waiting.splice(this.#waiting.indexOf(one), 1)
      this.#go(one)
      passed = true
    }
    return passed
  }
}

function unlimited(atMs: number): Bucket {
  return { rate: null, bytes: 0, share: 0, atMs, speed: 0, foregroundAtMs: Number.NEGATIVE_INFINITY }
}

const none: ReadonlySet<Bucket> = new Set()

/** The milliseconds until background may pass; 0 or less if it may now. */
function backgroundMs(bucket: Bucket, nowMs: number, isContended: boolean): number {
  if (bucket.rate === 0) return Number.POSITIVE_INFINITY
  const shareMs = (-bucket.share / shareOf(bucket)) * 1000
  if (bucket.rate === null) return Math.min(bucket.foregroundAtMs + limits.foregroundQuietMs - nowMs, shareMs)
  return Math.max(foregroundMs(bucket), isContended ? shareMs : 0)
}

/** The milliseconds until foreground may pass; 0 if it may now. */
function foregroundMs({ rate, bytes }: Bucket): number {
  if (rate === null || bytes > 0) return 0
  return rate === 0 ? Number.POSITIVE_INFINITY : ((1 - bytes) / rate) * 1000
}

/** The bytes per second that background gets in any case. */
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
