// The private key of a machine that asks to be let in, saved before any parent is asked: an answer that gets
// lost has used up the name, and the root gives that name again to the same key only. Each name that was
// asked for has a key of its own, as a key that the fleet turns away is good for no name any more.

import type { KeyObject } from 'node:crypto'
import path from 'node:path'
import type { NodeName } from '../../model/names.ts'
import { readPrivate } from '../../trust/identity.ts'
import { privateKeyFrom, privateKeyFromPem, privateKeyPem, seedBytes } from '../../trust/keys.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { World } from '../../world/world.ts'

/** The file that says which name the key is for. */
const askedFile = 'asked-for'
const othersPattern = /^node\.key\.[a-z0-9-]+\.pem$/

/** `isNew`: nobody can have heard of any key in this folder. */
export async function keyIn(
  { disk, random }: Pick<World, 'disk' | 'random'>,
  folder: string,
  name: NodeName,
): Promise<{ privateKey: KeyObject; isNew: boolean }> {
  const file = path.join(folder, 'node.key.pem')
  const keyOf = (other: string) => path.join(folder, `node.key.${other}.pem`)
  const has = async (each: string) => (await disk.stat(each)) !== undefined
  const asked = await askedIn(folder, disk)
  // In this order a crash leaves no key under another name than its own.
  if (asked !== undefined && asked !== name && (await has(file))) await disk.rename(file, keyOf(asked))
  if (asked !== name) {
    await disk.makeFolder(folder, { mode: 0o700 })
    await disk.write(path.join(folder, askedFile), name, { mode: 0o600 })
  }
  if (!(await has(file)) && (await has(keyOf(name)))) await disk.rename(keyOf(name), file)
  if (await has(file)) return { privateKey: privateKeyFromPem(await readPrivate(file, disk), file), isNew: false }
  const privateKey = privateKeyFrom(random.bytes(seedBytes))
  await disk.write(file, privateKeyPem(privateKey), { mode: 0o600 })
  return { privateKey, isNew: asked === undefined }
}

/** Removes the keys of other names, once the machine is a node. */
export async function forgetAsked({ disk }: Pick<World, 'disk'>, folder: string): Promise<void> {
  for (const file of await disk.list(folder)) {
    if (file === askedFile || othersPattern.test(file)) await disk.remove(path.join(folder, file))
  }
}

async function askedIn(folder: string, disk: Pick<World['disk'], 'read'>): Promise<string | undefined> {
  const bytes = await readIfThere(disk, path.join(folder, askedFile))
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
}
