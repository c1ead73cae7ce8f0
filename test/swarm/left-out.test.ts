import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { standInFor } from '../../src/swarm/engine/left-out.ts'

t.test('only webtorrent gets something else, and only for what leads out', async (t) => {
  const webtorrent = 'file:///x/node_modules/webtorrent/lib/torrent.js'
  t.match(standInFor('torrent-discovery', webtorrent), /no-discovery\.js$/)
  t.match(standInFor('bittorrent-dht', 'file:///x/node_modules/webtorrent/index.js'), /nothing\.js$/)
  t.equal(standInFor('bittorrent-protocol', webtorrent), undefined)
  t.equal(standInFor('constructor', webtorrent), undefined)
  t.equal(standInFor('bittorrent-dht', 'file:///x/src/swarm/subtree.ts'), undefined)
  t.equal(standInFor('bittorrent-dht', undefined), undefined)
})

t.test('an engine loads nothing that could look for peers or serve them by itself', async (t) => {
  const core = new URL('../../src/swarm/engine/core.ts', import.meta.url).href
  const leftOut = new URL('../../src/swarm/engine/left-out.ts', import.meta.url).href
  const script = `
    import { leaveOutWaysOut } from '${leftOut}'
    const before = new Set(process.moduleLoadList)
    leaveOutWaysOut()
    await import('${core}')
    const loaded = process.moduleLoadList.filter((each) => !before.has(each)).map((each) => each.replace('NativeModule ', ''))
    console.log(JSON.stringify(['tls', 'dgram', 'http', 'https', 'dns'].filter((name) => loaded.includes(name))))
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  // What was loaded before does not count: a test runner brings modules of its own along.
  t.same(JSON.parse(stdout), ['tls'], 'no UDP, no HTTP, no names')
})
