import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openLevelStore } from '../../src/world/store/store.ts'
import { failureCodeOf } from '../contract/contract.ts'
import { storeContract } from '../contract/store-contract.ts'
import { onSmallDisk } from './small-disk.ts'

storeContract(t, async (t) => {
  const path = `${t.testdir({})}/state`
  return () => openLevelStore(path)
})

t.test('a batch is whole or not there at all, and what was acknowledged is there, after a kill', async (t) => {
  const path = `${t.testdir({})}/state`
  for (let kill = 0; kill < 6; kill += 1) {
    const writer = spawn(process.execPath, [fileURLToPath(new URL('./endless-storer.ts', import.meta.url)), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let acknowledged = ''
    writer.stdout.on('data', (data) => {
      acknowledged += data
    })
    const ended = Promise.all([once(writer, 'exit'), once(writer.stdout, 'end')])
    await once(writer.stdout, 'data')
    await wait(20 + kill * 7)
    t.equal(await failureCodeOf(openLevelStore(path)), 'locked')
    writer.kill('SIGKILL')
    await ended
    const last = Number(acknowledged.trim().split('\n').at(-1))
    const store = await openLevelStore(path)
    const [a, b] = [await store.get('a'), await store.get('b')]
    t.same(a, b)
    t.ok((a as { round: number }).round >= last)
    await store.close()
  }
})

t.test('a store in a folder that cannot be is a disk failure', async (t) => {
  t.equal(await failureCodeOf(openLevelStore(`${t.testdir({ file: '' })}/file/state`)), 'disk')
})

t.test('a store that met a full disk is read on, and goes on with all that was acknowledged', (t) =>
  onSmallDisk(t, 8, async (folder) => {
    const store = await openLevelStore(`${folder}/state`)
    const filler = `${folder}/filler`
    const acknowledged: string[] = []
    const put = async (key: string) => {
      await store.put(key, 'x'.repeat(50_000))
      acknowledged.push(key)
    }
    await writeFile(filler, Buffer.alloc(7 * 1024 * 1024))
    let failure = 'none'
    for (let n = 0; failure === 'none'; n += 1) failure = await failureCodeOf(put(`before ${n}`))
    t.equal(failure, 'no-space')
    t.equal(await failureCodeOf(Promise.all([put('full'), put('too')])), 'no-space')
    t.ok(await store.get('before 0'))
    await rm(filler)
    await Promise.all([put('after'), put('later')])
    await store.close()
    const again = await openLevelStore(`${folder}/state`)
    for (const key of acknowledged) t.ok(await again.get(key), key)
    await again.close()
  }),
)
