// Which node is the parent at an address: the settings say so, or the first answer did. The names of
// first answers are kept in `<home>/parents.json`, where `banyan doctor` reads them too.

import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { lineSchema, type NodeName, nodeNameSchema } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import type { ParentPlace } from '../../model/settings.ts'
import type { Disk } from '../../world/world.ts'

/** By URL, without the name. */
export type ParentNames = ReadonlyMap<string, NodeName>

const parseNames = parserOf(v.record(lineSchema, nodeNameSchema))

/** Empty where there is no file yet. Throws `bad-input` for a file that cannot be read. */
export async function loadParentNames(disk: Pick<Disk, 'read'>, file: string): Promise<ParentNames> {
  try {
    const bytes = await disk.read(file, { maxBytes: limits.settingsMaxBytes })
    return new Map(Object.entries(parseNames(parseJson(bytes, file), file)))
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') return new Map()
    throw error
  }
}

export async function saveParentNames(disk: Pick<Disk, 'write'>, file: string, names: ParentNames): Promise<void> {
  await disk.write(file, `${JSON.stringify(Object.fromEntries(names))}\n`, { mode: 0o600 })
}

/** The only node that may answer at this place; undefined if the first answer will say. */
export function parentNameAt({ url, name }: ParentPlace, names: ParentNames): NodeName | undefined {
  return name ?? names.get(url)
}

/** A node of the fleet answers at the address of a parent, and is not that parent. */
export class WrongParent extends Failure {
  readonly answered: NodeName

  constructor({ url, expected, answered }: { url: string; expected: NodeName; answered: NodeName }) {
    super('untrusted', `${url} answers as ${answered}, and the parent there is ${expected}`, {
      retry: 'later',
      hint:
        `if ${answered} has taken its place, write https://${answered}@${url.slice('https://'.length)} under parents ` +
        `in node.yaml and restart banyan; if not, find out why ${answered} has that address`,
    })
    this.answered = answered
  }
}
