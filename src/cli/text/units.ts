// Ages, sizes and counts as people read them.

import type { Instant } from '../../model/names.ts'

/**
 * `12s ago`, `5m ago`, `3h ago`, `2d ago`; an age below zero, because clocks differ, is `just now`.
 */
export function agoText(ageMs: number): string {
  const seconds = Math.floor(ageMs / 1000)
  if (seconds < 1) return 'just now'
  if (seconds < 120) return `${seconds}s ago`
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m ago`
  if (seconds < 2 * 24 * 3600) return `${Math.floor(seconds / 3600)}h ago`
  return `${Math.floor(seconds / (24 * 3600))}d ago`
}

/** `999 B`, `1.5 KiB`, `20.3 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let size = bytes
  let unit = 0
  // Not 1024: a size that is rounded up to a whole MiB would be shown as `1024.0 KiB`.
  while (size >= 1023.95 && unit < units.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** The same of a size that may not be known; then undefined. */
export function sizeText(bytes: number | undefined): string | undefined {
  return bytes === undefined ? undefined : bytesText(bytes)
}

export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `2026-11-24 13:58:00Z`. */
export function timeText(at: Instant): string {
  return new Date(at).toISOString().replace('T', ' ').replace(/\.\d+/, '')
}

/** `0.4 s`, `12 s`, `3 min`, `2.5 h`. */
export function durationText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`
  if (ms < 2 * 3600_000) return `${Math.round(ms / 60_000)} min`
  return `${(ms / 3600_000).toFixed(1)} h`
}

/**
 * `1.004`, but `12.3` or `123` where more digits would say nothing; `-` if the ratio is not known.
 */
export function ratioText(ratio: number | null | undefined): string {
  if (ratio === undefined || ratio === null) return '-'
  return ratio < 10 ? ratio.toFixed(3) : ratio < 100 ? ratio.toFixed(1) : String(Math.round(ratio))
}
