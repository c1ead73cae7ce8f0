// What the kernel counts for processes and for the machine.

import { readdir, readFile } from 'node:fs/promises'

/** The process and all that it started, each with its command line. */
export async function familyOf(pid: number): Promise<{ pid: number; command: string }[]> {
  const processes = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => ({ pid: Number(name), parent: await parentOf(name), command: await commandOf(name) })),
  )
  const family = processes.filter((each) => each.pid === pid)
  for (const member of family) family.push(...processes.filter(({ parent }) => parent === member.pid))
  return family
}

/** Bytes of memory: what was resident at most, and now. */
export async function memoryOf(pid: number): Promise<{ peak: number; resident: number; own: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024
  return { peak: bytes('VmHWM'), resident: bytes('VmRSS'), own: bytes('RssAnon') }
}

/** Seconds of one core since the machine started: at work, and in all. */
export async function coreSeconds(): Promise<{ busy: number; all: number }> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n')
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number)
  const all = ticks.reduce((sum, each) => sum + each, 0)
  const [, , , idle = 0, waiting = 0] = ticks
  return { busy: (all - idle - waiting) / 100, all: all / 100 }
}

async function parentOf(pid: string): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
}

async function commandOf(pid: string): Promise<string> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim()
}
