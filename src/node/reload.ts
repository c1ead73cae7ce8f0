// Which settings a running node takes on. Pure.

import { isDeepStrictEqual } from 'node:util'
import { Failure } from '../model/failure.ts'
import type { Settings } from '../model/settings.ts'

/** What is read anew each time it is needed; everything else is built into what runs. */
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
  /** What the node goes by from now on. */
  settings: Settings
  /** Keys that are in force now and were not before, sorted. */
  changed: string[]
  /** Keys that differ from what the node was started with, and wait for a restart. */
  needRestart: string[]
}

/** `started` is what the node was built from, `live` what it goes by, `read` what the file says now. */
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
