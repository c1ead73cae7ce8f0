import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, cpSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { damageOfDatabase } from '../../src/world/store/examining.ts'
import { openLevelStore } from '../../src/world/store/store.ts'
import type { OpenStore, StoreDamage } from '../../src/world/world.ts'
import { failureCodeOf } from '../contract/contract.ts'
import { damages } from './database-damage.ts'
import { onSmallDisk } from './small-disk.ts'

const count = 1500
const storedAt = (n: number) => ({ n, text: `${n} abcdefgh`.repeat(60) })

/** A closed database with tables and a log. */
async function filled(path: string): Promise<void> {
  const store = await openLevelStore(path)
  const room = store.sub('room')
  for (let from = 0; from < count; from += 50) {
    const keys = Array.from({ length: 50 }, (_, index) => from + index)
    await room.batch(keys.map((n) => ({ kind: 'put', key: String(n), value: storedAt(n) })))
  }
  await store.close()
}

/** Every file, with its size. */
function listingOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name} ${statSync(`${parentPath}/${name}`).size}`)
    .sort()
}

/** What is there, and what of it nobody stored. */
async function contentOf(store: OpenStore): Promise<{ there: number; wrong: string[] }> {
  let there = 0
  const wrong: string[] = []
  for await (const [key, value] of store.sub('room').entries()) {
    there += 1
    if (JSON.stringify(value) !== JSON.stringify(storedAt(Number(key)))) wrong.push(key)
  }
  return { there, wrong }
}

t.test('a damaged database is rebuilt, however it is damaged', async (t) => {
  const folder = t.testdir({})
  await filled(`${folder}/whole`)
  t.ok(readdirSync(`${folder}/whole`).filter((name) => name.endsWith('.ldb')).length > 1, 'there are tables')
  for (const [name, damage] of Object.entries(damages)) {
    await t.test(name, async (t) => {
      const path = `${folder}/${name.replaceAll(' ', '-')}`
      cpSync(`${folder}/whole`, path, { recursive: true })
      damage(path)
      const before = listingOf(folder)
      const found = await damageOfDatabase(path)
      t.same(listingOf(folder), before, 'to examine it changes nothing')
      const told: StoreDamage[] = []
      const store = await openLevelStore(path, { onDamaged: (damage) => told.push(damage) })
      const { there, wrong } = await contentOf(store)
      t.same(wrong, [], 'nothing is read that nobody stored')
      if (/^(CURRENT|MANIFEST|LOCK)/.test(name)) t.equal(there, count, 'everything is saved')
      if (/table|folder is a file/.test(name)) t.ok(told.length > 0, 'it is told')
      const isSeen = told.length > 0 || /folder is (missing|empty)/.test(name)
      t.equal(found !== null, isSeen, `the doctor sees: ${found}`)
      for (const { because, aside } of told) {
        t.notMatch(because, /corruption|IO error|level/i, 'in words for a person')
        t.ok(existsSync(aside), 'the damaged one is kept')
      }
      await store.put('key', 1)
      await store.close()
      const again = await openLevelStore(path, { onDamaged: () => t.fail('one repair is enough') })
      t.equal(await again.get('key'), 1)
      t.same(await contentOf(again), { there, wrong: [] })
      await again.close()
      const beside = readdirSync(folder).filter((each) => each.startsWith(name.replaceAll(' ', '-')))
      t.ok(beside.length <= 2, `one damaged database is kept: ${beside.join(', ')}`)
    })
  }
})

t.test('a database that is damaged while it is open is rebuilt, and goes on', async (t) => {
  const path = `${t.testdir({})}/state`
  await filled(path)
  const told: StoreDamage[] = []
  const store = await openLevelStore(path, { onDamaged: (damage) => told.push(damage) })
  damages['a table has flipped bits all over']?.(path)
  const reads = await Promise.all([contentOf(store), contentOf(store), store.sub('room').get('3')])
  t.same(reads[0].wrong.concat(reads[1].wrong), [])
  t.equal(told.length, 1)
  await store.put('after', 1)
  t.equal(await store.get('after'), 1)
  await store.close()
})

t.test('a rebuild that was killed between its two renames is finished', async (t) => {
  const path = `${t.testdir({})}/state`
  await filled(`${path}.rebuilding`)
  const store = await openLevelStore(path)
  t.same(await contentOf(store), { there: count, wrong: [] })
  await store.close()
})

t.test('a repair that ends the process each time is given up', async (t) => {
  const path = `${t.testdir({})}/state`
  await filled(path)
  damages['MANIFEST is cut']?.(path)
  writeFileSync(`${path}.repairing`, '3')
  const store = await openLevelStore(path)
  t.same(await contentOf(store), { there: 0, wrong: [] })
  await store.close()
  t.notOk(existsSync(`${path}.repairing`))
  t.ok(existsSync(`${path}.damaged`))
})

t.test('a damaged database on a full disk stays as it is until there is room', (t) =>
  onSmallDisk(t, 16, async (folder) => {
    const path = `${folder}/state`
    await filled(path)
    damages['MANIFEST is missing']?.(path)
    await writeFile(`${folder}/filler`, Buffer.alloc(13 * 1024 * 1024))
    t.equal(await failureCodeOf(openLevelStore(path)), 'no-space')
    t.equal(await failureCodeOf(openLevelStore(path)), 'no-space')
    await rm(`${folder}/filler`)
    const store = await openLevelStore(path)
    t.same(await contentOf(store), { there: count, wrong: [] })
    await store.close()
  }),
)

t.test('a database of another user is left as it is, and a person is told what to do', async (t) => {
  const path = `${t.testdir({})}/state`
  await filled(path)
  await asNobody(t, path, async (words) => {
    t.match(words, /^disk: the database .* may not be used by this user \(see who owns this folder/)
    t.notMatch(words, /LEVEL|IO error/)
  })
  const store = await openLevelStore(path)
  t.same(await contentOf(store), { there: count, wrong: [] })
  await store.close()
})

/** Opens the database as a user that may not, in a process of its own. Needs to be root. */
async function asNobody(t: Test, path: string, look: (words: string) => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return t.comment('not tested: only root can be somebody else')
  chmodSync(path, 0o700)
  for (const name of readdirSync(path)) chownSync(`${path}/${name}`, 0, 0)
  const store = JSON.stringify(new URL('../../src/world/store/store.ts', import.meta.url).href)
  const script =
    `import(${store}).then(async ({ openLevelStore }) => {\n` +
    '  process.setuid(65534)\n' +
    `  await openLevelStore(${JSON.stringify(path)})\n` +
    '}).catch(({ code, message, hint }) => console.log(code + ": " + message + " (" + hint + ")"))'
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let words = ''
  child.stdout.on('data', (data) => {
    words += data
  })
  await once(child, 'close')
  await look(words)
}
