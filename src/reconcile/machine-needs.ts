// What a machine needs so that it runs the software that is installed: a reboot, or restarts of
// services. Changes nothing.

import { join } from 'node:path'
import { limits } from '../model/limits.ts'
import type { MachineNeeds } from '../model/restarts.ts'
import type { OutdatedProcess } from '../world/processes.ts'
import { readIfThere } from '../world/read-if-there.ts'
import type { Clock, Disk, Exec } from '../world/world.ts'

export interface NeedsParts {
  targetRoot: string
  exec: Pick<Exec, 'run' | 'which'>
  disk: Pick<Disk, 'read' | 'stat'>
  clock: Pick<Clock, 'monotonicMs'>
  outdatedProcesses: () => Promise<OutdatedProcess[]>
}

/** What a machine needs, found out anew only when that is due. */
export interface CachedNeeds {
  /**
   * Looks at processes and at rpm's database at most every `limits.processLookMs`, unless something
   * was installed since. Debian's reboot flag is read each time.
   */
  look(): Promise<MachineNeeds>
  /** Something was installed: the next look starts anew. */
  changed(): void
}

/** In memory only: there is nothing to stop. */
export function createCachedNeeds(parts: NeedsParts): CachedNeeds {
  let known: (MachineNeeds & { atMs: number }) | undefined
  const looked = async (): Promise<MachineNeeds> => {
    // Nothing runs below another target root.
    if (parts.targetRoot !== '/') return { reboot: null, restarts: [] }
    const now = parts.clock.monotonicMs()
    if (known === undefined || now - known.atMs > limits.processLookMs) {
      const restarts = unitsOf(await parts.outdatedProcesses())
      known = { reboot: await rebootByRpm(parts), restarts, atMs: now }
    }
    return known
  }
  return {
    async look() {
      const { reboot, restarts } = await looked()
      return { reboot: (await rebootByFlag(parts)) ?? reboot, restarts }
    },
    changed() {
      known = undefined
    },
  }
}

function unitsOf(outdated: readonly OutdatedProcess[]): string[] {
  const units = new Set(outdated.flatMap(({ unit }) => unit ?? []))
  return [...units].sort().slice(0, limits.unitsNamedMax)
}

/**
 * The flag that Debian's packages leave when they want a reboot; update-notifier(8) shows it to
 * people.
 */
async function rebootByFlag({ disk, targetRoot }: NeedsParts): Promise<string | null> {
  const flag = join(targetRoot, 'run/reboot-required')
  if ((await disk.stat(flag)) === undefined) return null
  const packages = new Set((await textOf(disk, `${flag}.pkgs`)).split('\n').map((line) => line.trim()))
  packages.delete('')
  const names = [...packages].sort().join(', ')
  return (names === '' ? 'a package asks for it' : `asked for by ${names}`).slice(0, limits.textMaxChars)
}

/**
 * Packages whose new version runs only after a reboot. The needs-restarting of dnf-plugins-core has
 * the same list.
 */
const coreRpms = [
  ...['kernel', 'kernel-core', 'kernel-rt-core', 'kernel-default', 'linux-firmware', 'kernel-firmware-all'],
  ...['systemd', 'dbus', 'dbus-broker', 'dbus-daemon', 'glibc', 'openssl-libs', 'gnutls'],
]

/** rpm leaves no flag, so a core package counts if it was installed after the machine started. */
async function rebootByRpm({ disk, exec }: NeedsParts): Promise<string | null> {
  const folders = ['/usr/lib/sysimage/rpm', '/var/lib/rpm']
  const databases = await Promise.all(folders.map((folder) => disk.stat(folder)))
  if (databases.every((found) => found === undefined) || (await exec.which('rpm')) === undefined) return null
  const started = Number(/^btime (\d+)$/m.exec(await textOf(disk, '/proc/stat'))?.[1])
  if (!Number.isFinite(started)) return null
  const { stdout } = await exec.run({
    program: 'rpm',
    args: ['--query', '--queryformat', '%{NAME} %{INSTALLTIME}\\n', ...coreRpms],
    timeoutMs: limits.packageQueryTimeoutMs,
  })
  const since = stdout.split('\n').flatMap((line) => {
    const [, name, time] = /^(\S+) (\d+)$/.exec(line) ?? []
    return name !== undefined && Number(time) > started ? [name] : []
  })
  return since.length === 0 ? null : `${[...new Set(since)].sort().join(', ')} newer than the last start`
}

/** Empty if there is no such file. */
async function textOf(disk: Pick<Disk, 'read'>, file: string): Promise<string> {
  return new TextDecoder().decode(await readIfThere(disk, file, { maxBytes: limits.packageListMaxBytes }))
}
