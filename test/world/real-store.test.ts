import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openLevelStore } from '../../src/world/store.ts'
import { failureCodeOf } from '../contract/contract.ts'
import { storeContract } from '../contract/store-contract.ts'

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
