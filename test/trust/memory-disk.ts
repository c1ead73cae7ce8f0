// The simulated disk on its own: without time, and with a way to fail at any change.

import { hash } from 'node:crypto'
import type { Disk } from '../../src/world/world.ts'
import type { Life } from '../world/life.ts'
import { createPlatter, type Platter, simulatedDisk } from '../world/simulated-disk.ts'

export interface MemoryDisk extends Disk {
  entries: Platter['entries']
  /** Called before each change; what it throws is what the change fails with. */
  onChange: (path: string) => void
  /** All there is, comparable. */
  picture(): Record<string, string>
  /** The same content on a disk of its own. */
  copy(): MemoryDisk
}

const changes = new Set(['write', 'make folder', 'rename', 'remove', 'point'])

/** Every change happens at once, and all of them do. */
const endless: Life = {
  isOver: () => false,
  after: () => ({ cancel: () => {} }),
  lasting: async (_, change) => change(),
  onEnd: () => () => {},
  end: () => {},
}

export function memoryDisk(content?: Platter['entries']): MemoryDisk {
  const platter = createPlatter(2 ** 30, () => 0)
  for (const [path, entry] of content ?? []) platter.entries.set(path, entry)
  const { entries } = platter
  const check = (operation: string, path: string) => {
    if (changes.has(operation)) disk.onChange(path)
  }
  const disk: MemoryDisk = {
    ...simulatedDisk({ ...platter, check }, endless),
    entries,
    onChange: () => {},
    picture: () => Object.fromEntries([...entries].sort().map(([path, entry]) => [path, textOf(entry)])),
    copy: () => memoryDisk(entries),
  }
  return disk
}

function textOf(entry: Platter['entries'] extends Map<string, infer E> ? E : never): string {
  switch (entry.kind) {
    case 'file':
      return `file ${entry.mode.toString(8)} ${hash('sha256', entry.content, 'hex')}`
    case 'folder':
      return 'folder'
    case 'link':
      return `link to ${entry.target}`
  }
}
