// Reads and writes node.yaml.

import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { parseJson } from '../../model/parse.ts'
import { parseSettings, type Settings, settingsSchema } from '../../model/settings.ts'
import type { Disk } from '../../world/world.ts'

/**
 * Throws `not-found` with a hint where no node was made yet, and `bad-input` with file, line, key
 * and reason for settings that are not valid.
 */
export async function loadSettings(disk: Pick<Disk, 'read'>, file: string): Promise<Settings> {
  const bytes = await disk.read(file, { maxBytes: limits.settingsMaxBytes }).catch((error) => {
    if (!(error instanceof Failure) || error.code !== 'not-found') throw error
    throw new Failure('not-found', `${file}: no settings, so no node was made here`, {
      hint: 'make a root with `banyan init`, or join a tree with `banyan join TOKEN`',
    })
  })
  const settings = asWritten(new TextDecoder().decode(bytes))
  if (v.is(settingsSchema, settings)) return parseSettings(settings, file)
  // Settings that a person has edited, and invalid ones: the YAML parser knows the line that an
  // error belongs to.
  const { readYaml } = await import('../../model/yaml/yaml.ts')
  const { checkedYaml } = await import('../../model/yaml/yaml-check.ts')
  const yaml = await readYaml(bytes, { file, maxBytes: limits.settingsMaxBytes, scalars: 'typed' })
  return checkedYaml(yaml, settingsSchema)
}

/**
 * Reads the output of `settingsText` without the YAML parser, which would take 3 MB of the daemon's
 * memory for good. Undefined for a file that a person has written in another form.
 */
function asWritten(text: string): Record<string, unknown> | undefined {
  const settings: Record<string, unknown> = {}
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# ')) continue
    const [, key, json] = /^([A-Za-z]+): (["[{\d].*)$/.exec(line) ?? []
    if (key === undefined || json === undefined || Object.hasOwn(settings, key)) return undefined
    try {
      settings[key] = parseJson(json, key)
    } catch {
      return undefined
    }
  }
  return settings
}

/** Only the owner may read the file: it is written with mode 0600. */
export async function saveSettings(disk: Pick<Disk, 'write'>, file: string, settings: Settings): Promise<void> {
  await disk.write(file, settingsText(settings), { mode: 0o600 })
}

/** One key in each line. The values are JSON, which every YAML parser reads in the same way. */
export function settingsText(settings: Settings): string {
  const lines = [
    '# Settings of this banyan node. After a change: banyan reload says what is taken on at once, and what needs a restart.',
  ]
  for (const [key, value] of Object.entries(settings)) lines.push(`${key}: ${JSON.stringify(value)}`)
  return `${lines.join('\n')}\n`
}
