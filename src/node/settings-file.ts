// Reads and writes node.yaml.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Settings, settingsSchema } from '../model/settings.ts'
import { readYaml } from '../model/yaml.ts'
import { checkedYaml } from '../model/yaml-check.ts'
import type { Disk } from '../world/world.ts'

/** `not-found` with a hint where no node was made yet, `bad-input` naming file, line, key and reason otherwise. */
export async function loadSettings(disk: Pick<Disk, 'read'>, file: string): Promise<Settings> {
  const bytes = await disk.read(file, { maxBytes: limits.settingsMaxBytes }).catch((error) => {
    if (!(error instanceof Failure) || error.code !== 'not-found') throw error
    throw new Failure('not-found', `${file}: no settings, so no node was made here`, {
      hint: 'make a root with `banyan init`, or join a tree with `banyan join TOKEN`',
    })
  })
  const yaml = await readYaml(bytes, { file, maxBytes: limits.settingsMaxBytes, scalars: 'typed' })
  return checkedYaml(yaml, settingsSchema)
}

export async function saveSettings(disk: Pick<Disk, 'write'>, file: string, settings: Settings): Promise<void> {
  await disk.write(file, settingsText(settings), { mode: 0o600 })
}

/** One key a line. Values are JSON, which every YAML parser reads the same way. */
export function settingsText(settings: Settings): string {
  const lines = ['# Settings of this banyan node. Restart it after a change.']
  for (const [key, value] of Object.entries(settings)) lines.push(`${key}: ${JSON.stringify(value)}`)
  return `${lines.join('\n')}\n`
}
