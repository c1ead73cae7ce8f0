// The files of the admissions: one small file for each token and each name. With one file for all,
// a fleet of 100,000 nodes would be written anew for each node that joins.
//
// <home>/fleet/tokens/<id>.json    the key of the token's HMAC, its end, its uses
// <home>/fleet/nodes/<name>.json   the key that has the name
//
// Of a token only the HMAC key is kept, not its secret. Somebody who reads this folder can make
// certificate requests in the token's name while it lives, but can neither print the token again
// nor connect with it.

import { join } from 'node:path'
import * as v from 'valibot'
import { limits } from '../../model/limits.ts'
import {
  countSchema,
  type Instant,
  instantSchema,
  type NodeName,
  nodeNameSchema,
  type Sha256,
  sha256Schema,
} from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Clock, Disk } from '../../world/world.ts'

const tokenSchema = v.strictObject({
  /** 32 bytes in hex. */
  hmacKey: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  expiresAt: instantSchema,
  /** How many nodes may join with the token. */
  uses: countSchema,
  /** How many have. */
  used: countSchema,
  /** The node that the token is for: who joins with it takes that name over. */
  replaces: v.exactOptional(nodeNameSchema),
})
const nodeSchema = v.strictObject({
  keyId: sha256Schema,
  since: instantSchema,
  revokedAt: v.nullable(instantSchema),
  /** Keys that had the name before, and are to be turned away yet. */
  formerKeys: v.exactOptional(v.pipe(v.array(sha256Schema), v.maxLength(limits.formerKeysMax))),
})
const parseToken = parserOf(tokenSchema)
const parseNode = parserOf(nodeSchema)
export type TokenRecord = v.InferOutput<typeof tokenSchema>
export type NodeRecord = v.InferOutput<typeof nodeSchema>

/** Undefined for what there is none of. Every write is durable when its promise resolves. */
export interface AdmissionRecords {
  token(id: string): Promise<TokenRecord | undefined>
  node(name: NodeName): Promise<NodeRecord | undefined>
  putToken(id: string, record: TokenRecord): Promise<void>
  putNode(name: NodeName, record: NodeRecord): Promise<void>
  /** The nodes that have a name and were not revoked, without those that are known to the caller. */
  admitted(isKnown: (node: NodeName) => boolean): Promise<NodeName[]>
  /** How many nodes have a name beside the root. */
  othersCount(): number
  /**
   * Removes the tokens that ended long ago. They are kept for `limits.tokenRememberedMs` after
   * their end, so that a machine that comes late is told why it is refused.
   */
  forgetTokens(now: Instant): Promise<void>
}

type RecordsDisk = Pick<Disk, 'read' | 'write' | 'list' | 'remove'>

/** Makes the folders, and takes the name that the root itself has. */
export async function initAdmissions(parts: {
  dir: string
  root: { name: NodeName; keyId: Sha256 }
  clock: Pick<Clock, 'now'>
  disk: Pick<Disk, 'write' | 'makeFolder'>
}): Promise<void> {
  const { dir, root, clock, disk } = parts
  for (const folder of ['tokens', 'nodes']) await disk.makeFolder(join(dir, folder), { mode: 0o700 })
  const record: NodeRecord = { keyId: root.keyId, since: clock.now(), revokedAt: null }
  await write(disk, nodePath(dir, root.name), record)
}

export async function openAdmissionRecords(parts: {
  /** `<home>/fleet`. */
  dir: string
  disk: RecordsDisk
}): Promise<AdmissionRecords> {
  const { dir, disk } = parts
  let count = (await disk.list(join(dir, 'nodes'))).length
  return {
    token: (id) => read(disk, tokenPath(dir, id), parseToken),
    node: (name) => read(disk, nodePath(dir, name), parseNode),
    putToken: (id, record) => write(disk, tokenPath(dir, id), record),
    async putNode(name, record) {
      const before = await read(disk, nodePath(dir, name), parseNode)
      await write(disk, nodePath(dir, name), record)
      if (before === undefined) count += 1
    },
    async admitted(isKnown) {
      const names = (await disk.list(join(dir, 'nodes'))).flatMap((file) => /^(.+)\.json$/.exec(file)?.[1] ?? [])
      const admitted: NodeName[] = []
      for (const name of names) {
        if (!v.is(nodeNameSchema, name) || isKnown(name)) continue
        if ((await read(disk, nodePath(dir, name), parseNode))?.revokedAt === null) admitted.push(name)
      }
      return admitted
    },
    othersCount: () => count - 1,
    async forgetTokens(now) {
      for (const file of await disk.list(join(dir, 'tokens'))) {
        const path = join(dir, 'tokens', file)
        const token = await read(disk, path, parseToken)
        if (token !== undefined && now > token.expiresAt + limits.tokenRememberedMs) await disk.remove(path)
      }
    },
  }
}

async function read<T>(
  disk: Pick<Disk, 'read'>,
  path: string,
  parse: (input: unknown, where: string) => T,
): Promise<T | undefined> {
  const bytes = await readIfThere(disk, path)
  return bytes === undefined ? undefined : parse(parseJson(bytes, path), path)
}

async function write(disk: Pick<Disk, 'write'>, path: string, record: TokenRecord | NodeRecord): Promise<void> {
  await disk.write(path, JSON.stringify(record), { mode: 0o600 })
}

function tokenPath(dir: string, id: string): string {
  return join(dir, 'tokens', `${id}.json`)
}

function nodePath(dir: string, name: NodeName): string {
  return join(dir, 'nodes', `${name}.json`)
}
