import t from 'tap'
import type { Revision } from '../../src/model/revision.ts'
import { torrentOf } from '../../src/node/torrents.ts'

const digest = (letter: string) => letter.repeat(64)
const infoHash = (letter: string) => letter.repeat(40)

const builds = (version: string, archs: Record<string, string>) => ({
  state: 'present' as const,
  builds: Object.fromEntries(
    Object.entries(archs).map(([arch, letter]) => [arch, { version, manifest: digest(letter) }]),
  ),
})
const rules = [
  {
    ...{ line: 1, nodes: 'all' as const, except: [] },
    packages: {
      shop: builds('2.0', { amd64: 'a', arm64: 'b' }),
      tool: builds('1.0', { all: 'c' }),
      gone: { state: 'absent' },
    },
  },
  {
    line: 5,
    nodes: ['old'],
    except: [],
    packages: { shop: builds('1.0', { amd64: 'd' }), tool: builds('1.0', { all: 'c' }) },
  },
] as Revision['rules']

const here = (letters: string) => {
  const stored = [...letters].map((letter) => ({
    ...{ infoHash: infoHash(letter), sha256: digest(letter), manifest: digest(letter) },
    ...{
      name: letter === 'c' ? 'tool' : 'shop',
      version: letter === 'd' || letter === 'c' ? '1.0' : '2.0',
      bytes: 1,
      usedAt: 0,
    },
  }))
  return {
    node: {
      state: () => ({ revision: { digest: digest('f'), body: { rules }, named: new Set() } }),
      swarm: {
        stored: () => stored,
        plain: {
          gives: (wanted: string) => stored.some((each) => each.infoHash === wanted),
          metainfo: async () => Buffer.from('d4:infod4:name1:xee'),
        },
      },
    },
    plain: { announceUrl: 'http://staging:6969/announce', stop: async () => {} },
  } as unknown as Parameters<typeof torrentOf>[0]
}

t.test('the tracker stands beside the info dictionary, which stays as it is', async (t) => {
  const { torrent, ...about } = await torrentOf(here('c'), { name: 'tool' })
  t.same(about, { name: 'tool', version: '1.0', infoHash: infoHash('c'), announce: 'http://staging:6969/announce' })
  t.equal(Buffer.from(torrent, 'base64').toString(), 'd8:announce28:http://staging:6969/announce4:infod4:name1:xee')
})

t.test('one of several is chosen by version and architecture, or by what is here', async (t) => {
  t.match(await torrentOf(here('abd'), { name: 'shop', version: '1.0' }), { infoHash: infoHash('d') })
  t.match(await torrentOf(here('abd'), { name: 'shop', version: '2.0', arch: 'arm64' }), { infoHash: infoHash('b') })
  t.match(await torrentOf(here('a'), { name: 'shop' }), { infoHash: infoHash('a') })
  await t.rejects(torrentOf(here('abd'), { name: 'shop', version: '2.0' }), { code: 'conflict', message: /2\.0 arm64/ })
})

t.test('what cannot be had says why', async (t) => {
  await t.rejects(torrentOf(here('a'), { name: 'tool' }), { code: 'not-found', message: /no payload of it is here/ })
  await t.rejects(torrentOf(here('a'), { name: 'gone' }), { code: 'not-found', message: 'gone: not in the revision' })
  await t.rejects(torrentOf(here('a'), { name: 'constructor' }), { code: 'not-found' })
  await t.rejects(torrentOf(here('a'), { name: 'shop', version: '9' }), { message: 'shop 9: not in the revision' })
  await t.rejects(torrentOf({ ...here('a'), plain: null }, { name: 'shop' }), { code: 'unsupported' })
})
