// The load of this machine, and whether it runs on its battery, from the files of the kernel.

import { readdir, readFile } from 'node:fs/promises'
import * as os from 'node:os'
import { join } from 'node:path'
import type { UploadFacts } from '../model/upload-guard.ts'

/** The folders are /proc and /sys. What they do not have is null. */
export async function readUploadFacts(proc = '/proc', sys = '/sys'): Promise<UploadFacts> {
  const load = Number.parseFloat(await textOf(join(proc, 'loadavg')))
  return {
    load: Number.isFinite(load) ? load / os.availableParallelism() : null,
    onBattery: await onBattery(join(sys, 'class/power_supply')),
  }
}

/**
 * A machine runs on its battery if none of its other supplies is online (sysfs-class-power of the
 * kernel).
 */
async function onBattery(folder: string): Promise<boolean | null> {
  const supplies = await Promise.all(
    (await readdir(folder).catch(() => [])).map(async (name) => ({
      type: (await textOf(join(folder, name, 'type'))).trim(),
      // A mouse has a battery too.
      scope: (await textOf(join(folder, name, 'scope'))).trim(),
      online: (await textOf(join(folder, name, 'online'))).trim(),
    })),
  )
  const own = supplies.filter(({ scope }) => scope !== 'Device')
  if (!own.some(({ type }) => type === 'Battery')) return own.length === 0 ? null : false
  return !own.some(({ type, online }) => type !== 'Battery' && online !== '0' && online !== '')
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '')
}
