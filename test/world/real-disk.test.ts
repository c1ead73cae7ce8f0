import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { systemDisk as disk } from '../../src/world/disk.ts'
import { failureCodeOf } from '../contract/contract.ts'
import { diskContract } from '../contract/disk-contract.ts'
import { onSmallDisk } from './small-disk.ts'

diskContract(t, async (t) => ({ disk, folder: t.testdir({}) }))

t.test('a writer that is killed leaves the old content or the new, and nothing that is listed', async (t) => {
  const folder = t.testdir({})
  const path = `${folder}/state`
  await disk.write(path, '0'.repeat(3_000_000))
  const kills = 10
  for (let kill = 0; kill < kills; kill += 1) {
    const writer = spawn(process.execPath, [fileURLToPath(new URL('./endless-writer.ts', import.meta.url)), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(writer, 'exit')
    await once(writer.stdout, 'data')
    // Any moment will do; these are spread over several writes.
    await wait(kill * 1.3)
    writer.kill('SIGKILL')
    await exited
    const content = Buffer.from(await disk.read(path)).toString()
    t.ok(content === content.slice(0, 1).repeat(3_000_000), `${content.length} bytes`)
    t.same(await disk.list(folder), ['state'])
  }
})

t.test('what a killed process with our process id left behind is in nobody’s way', async (t) => {
  const folder = t.testdir({})
  const leftovers = Array.from({ length: 200 }, (_, n) => `${folder}/.unfinished-${process.pid}-${n}`)
  await Promise.all(leftovers.map((path) => writeFile(path, 'left over, and longer than what is new')))
  await disk.write(`${folder}/a`, 'new', { mode: 0o600 })
  await disk.pointLink(`${folder}/b`, 'a')
  t.equal(Buffer.from(await disk.read(`${folder}/b`)).toString(), 'new')
  t.match(await disk.stat(`${folder}/a`), { mode: 0o600, size: 3 })
})

t.test('a full disk keeps the old content, and nothing of the new', (t) =>
  onSmallDisk(t, 1, async (folder) => {
    await disk.write(`${folder}/a`, 'old')
    await disk.write(`${folder}/filler`, new Uint8Array(700_000))
    t.equal(await failureCodeOf(disk.write(`${folder}/a`, new Uint8Array(500_000))), 'no-space')
    t.equal(Buffer.from(await disk.read(`${folder}/a`)).toString(), 'old')
    t.same(await readdir(folder), ['a', 'filler'])
    await disk.remove(`${folder}/filler`)
    await disk.write(`${folder}/a`, new Uint8Array(500_000))
  }),
)
