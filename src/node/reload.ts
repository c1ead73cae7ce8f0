// Which changed settings a running node takes on, and which need a restart. Pure.

import { isDeepStrictEqual } from 'node:util'
import { Failure } from '../model/failure.ts'
import type { Settings } from '../model/settings.ts'

/** Settings that are read each time they are needed. All others are built into running parts. */
const liveKeys = [
  'uploadLimit',
  'downloadLimit',
  'linkUploadLimit',
  'linkDownloadLimit',
  'limitTimes',
  'linkRate',
  'uploadLoadMax',
  'uploadOnBattery',
  'metered',
  'storeQuota',
  'diskReserve',
  'pins',
] as const satisfies readonly (keyof Settings)[]

export interface Reloaded {
  /** The settings in force from now on. */
  settings: Settings
  /** Sorted keys whose new value is in force from now on. */
  changed: string[]
  /** Sorted keys whose value in the file differs from the one in force, and that need a restart. */
  needRestart: string[]
}

/**
 * `started` are the settings that the node was started with, `live` those in force, `read` those in
 * the file now. Throws `conflict` if the file has another name.
 */
export function reloadedFrom(started: Settings, live: Settings, read: Settings): Reloaded {
  if (read.name !== started.name) {
    throw new Failure('conflict', `name is ${read.name} now, and this node is ${started.name}`, {
      hint: 'a node keeps the name that it joined with',
    })
  }
  const isLive = (key: string) => liveKeys.some((each) => each === key)
  const settings = Object.fromEntries([
    ...Object.entries(started).filter(([key]) => !isLive(key)),
    ...Object.entries(read).filter(([key]) => isLive(key)),
  ]) as Settings
  const differing = (a: Settings, b: Settings) =>
    [...new Set([...Object.keys(a), ...Object.keys(b)])]
      .filter((key) => !isDeepStrictEqual(a[key as keyof Settings], b[key as keyof Settings]))
      .sort()
  return {
    settings,
    changed: differing(live, settings),
    needRestart: differing(started, read).filter((key) => !isLive(key)),
  }
}
