// Which private key a machine asks with, in one try after the other.

import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { forgetAsked, keyIn } from '../../../src/node/setup/join-keys.ts'
import { privateKeyPem } from '../../../src/trust/keys.ts'
import type { Random } from '../../../src/world/world.ts'
import { memoryDisk } from '../../trust/memory-disk.ts'
import { seededRandom } from '../../world/seeded-random.ts'

const folder = '/home/keys/next'

async function machine() {
  const disk = memoryDisk()
  for (const each of ['/home', '/home/keys']) await disk.makeFolder(each)
  const random = seededRandom('machine') as Random
  const key = async (name: string) => privateKeyPem((await keyIn({ disk, random }, folder, name)).privateKey)
  return { disk, random, key }
}

t.test('each name that is asked for has a key of its own, and keeps it', async (t) => {
  const { disk, random, key } = await machine()
  t.equal((await keyIn({ disk, random }, folder, 'shop-7')).isNew, true)
  const first = await key('shop-7')
  t.equal((await keyIn({ disk, random }, folder, 'shop-8')).isNew, false, 'the root may know a key in this folder')
  const second = await key('shop-8')
  t.not(second, first)
  t.equal(await key('shop-7'), first, 'back to the first name')
  t.equal(await key('shop-8'), second)
  await disk.makeFolder('/home/keys/other')
  await forgetAsked({ disk }, folder)
  t.same(await disk.list(folder), ['node.key.pem'], 'and those of other names go in the end')
})

t.test('a crash at any point gives no name the key of another', async (t) => {
  for (let nth = 1; ; nth++) {
    const { disk, key } = await machine()
    const keys = { 'shop-7': await key('shop-7'), 'shop-8': await key('shop-8') }
    let changes = 0
    disk.onChange = () => {
      changes += 1
      if (changes === nth) throw new Failure('no-space', 'the disk is full')
    }
    await key('shop-7').catch(() => {})
    disk.onChange = () => {}
    for (const name of ['shop-8', 'shop-7'] as const) t.equal(await key(name), keys[name], `${nth}: ${name}`)
    t.not(await key('shop-9'), keys['shop-7'])
    if (changes < nth) break
  }
})

t.test('a key of before names were noted is that of the name that is asked for next', async (t) => {
  const { disk, key } = await machine()
  const first = await key('shop-7')
  await disk.remove(`${folder}/asked-for`)
  t.equal(await key('shop-7'), first)
})
