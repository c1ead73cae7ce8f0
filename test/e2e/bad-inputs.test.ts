// Bad inputs through the real command line, against a running root: each is refused with a sentence
// that says what is wrong, where and why, with the right exit code, and changes nothing.

import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../src/model/report.ts'
import { loadIdentity } from '../../src/trust/identity.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { openHttp } from '../../src/world/http/http.ts'
import { requestLocal } from '../../src/world/local.ts'
import { arOf, buildDeb, needs, run, type TreeFile, writeTree } from '../repository/workbench.ts'
import { listingOf, type RealTree, realTree } from './real-tree.ts'
import { until } from './until.ts'

interface Row {
  what: string
  args: readonly string[]
  code: 1 | 2
  /** In the first line on standard error. */
  says: RegExp
  hint?: RegExp
}

interface Scene {
  tree: RealTree
  root: string
  /** A node that is joined and does not run. */
  spare: string
  /** For sources, and for homes that must not come to be. */
  folder: string
  in: (name: string) => string
}

t.setTimeout(280_000)

t.test('bad inputs', { timeout: 270_000 }, async (t) => {
  const scene = await sceneFor(t)
  const { tree } = scene

  await t.test('publish', needs('dpkg-deb'), async (t) => {
    const rows = await publishRows(scene)
    await allRefused(
      t,
      scene,
      rows.map((row) => ({ ...row, args: ['publish', '--home', scene.root, ...row.args] })),
    )
  })

  await t.test('release', async (t) => {
    const file = path.join(scene.root, 'policy.yaml')
    const honest = await readFile(file)
    for (const { what, policy, says, hint } of policyRows) {
      if (policy === null) await rm(file)
      else await writeFile(file, policy)
      const row = { what, args: ['release', '--home', scene.root], code: 1, says, ...(hint && { hint }) } as const
      await refused(t, scene, row)
    }
    await writeFile(file, honest)
  })

  await t.test('join', async (t) => {
    const homeFor = ({ what }: Row) => scene.in(`home of ${what}`)
    const rows = (await joinRows(t, scene)).map((row) => {
      const own = row.args.includes('--home') ? [] : ['--home', homeFor(row)]
      return { ...row, args: ['join', ...row.args, ...own] }
    })
    await allRefused(t, scene, rows)
    for (const row of rows) {
      // An answer may have got lost on its way, and the name belongs to the key that asked for it.
      const kept = row.what === 'a parent that is not there' ? ['keys', 'keys/asked-for', 'keys/node.key.pem'] : []
      t.same(Object.keys(contentOf(homeFor(row))), kept, `${row.what}: no node was begun`)
    }
  })

  await t.test('settings', async (t) => {
    const file = path.join(scene.spare, 'node.yaml')
    const honest = await readFile(file, 'utf8')
    for (const { what, settings, says, hint } of settingsRows(tree)) {
      await writeFile(file, typeof settings === 'function' ? settings(honest) : settings, { mode: 0o600 })
      const row = { what, args: ['node', '--home', scene.spare], code: 1, says, ...(hint && { hint }) } as const
      await refused(t, scene, row)
    }
    await writeFile(file, honest)
    const key = path.join(scene.spare, 'keys', 'node.key.pem')
    await chmod(key, 0o644)
    await refused(t, scene, {
      what: 'a key that others can read',
      args: ['node', '--home', scene.spare],
      code: 1,
      says: /keys\/node\.key\.pem can be read or changed by others \(mode 644\)/,
      hint: /chmod 600 .*node\.key\.pem/,
    })
    await chmod(key, 0o600)
    await refused(t, scene, {
      what: 'a home where nothing is',
      args: ['node', '--home', scene.in('nowhere')],
      code: 1,
      says: /nowhere\/node\.yaml: no settings, so no node was made here/,
      hint: /banyan init.*banyan join/,
    })
    await refused(t, scene, {
      what: 'a home whose daemon runs already',
      args: ['node', '--home', scene.root],
      code: 1,
      says: /root\/home\/state is open in another process/,
    })
    await writeFile(file, `\uFEFF${honest.replaceAll('\n', '\r\n')}`)
    await tree.start('spare')
    const isSettled = ({ revision, state }: Report) => revision === 1 && state === 'converged'
    t.ok(
      await tree.reports('spare', 'has settled', isSettled),
      'a byte order mark and the line ends of Windows are fine',
    )
    await refused(t, scene, {
      what: 'a node that is no root',
      args: ['publish', scene.in('motd-1.0'), '--home', scene.spare],
      code: 1,
      says: /only a root does that/,
      hint: /on the root/,
    })
    await tree.stop('spare', 'SIGTERM')
  })

  await t.test('commands', async (t) => {
    const home = ['--home', scene.root]
    const rows: Row[] = [
      { what: 'no command', args: [], code: 2, says: /no command given/, hint: /--help/ },
      {
        what: 'an unknown command',
        args: ['relaese', ...home],
        code: 2,
        says: /unknown command relaese/,
        hint: /release/,
      },
      { what: 'an unknown option', args: ['status', '--colour', ...home], code: 2, says: /unknown argument --colour/ },
      { what: 'an argument too many', args: ['status', 'all', ...home], code: 2, says: /unexpected argument all/ },
      {
        what: 'an argument too few',
        args: ['publish', ...home],
        code: 2,
        says: /publish <path\.\.>: an argument is missing/,
      },
      {
        what: 'an option without its value',
        args: ['release', '-m', ...home],
        code: 2,
        says: /not enough arguments following: m/,
      },
      { what: 'an option twice', args: ['release', '-m', 'a', '-m', 'b', ...home], code: 2, says: /message|-m/ },
      {
        what: 'a name for two packages',
        args: ['publish', 'a', 'b', '--name', 'c', ...home],
        code: 2,
        says: /--name and --version are for one path at a time/,
      },
      {
        what: 'a duration in words',
        args: ['token', 'create', '--ttl', 'soon', ...home],
        code: 2,
        says: /--ttl: expected a duration .*, not soon/,
      },
      {
        what: 'no uses',
        args: ['token', 'create', '--uses', '0', ...home],
        code: 2,
        says: /--uses: expected a whole number from 1/,
      },
      {
        what: 'a token for a parent that is no address',
        args: ['token', 'create', '--parent', 'http://root:1', ...home],
        code: 1,
        says: /token create: parents\.0: expected https:\/\/ADDRESS:PORT/,
      },
      {
        what: 'a message of two lines',
        args: ['release', '-m', 'one\ntwo', ...home],
        code: 1,
        says: /release: message: expected one line without control characters/,
      },
      {
        what: 'an unknown node',
        args: ['node-info', 'nobody', ...home],
        code: 1,
        says: /node nobody: no report of it here/,
        hint: /banyan nodes/,
      },
      { what: 'an unknown package', args: ['package', 'nothing', ...home], code: 1, says: /nothing/ },
      {
        what: 'a package name that is a path',
        args: ['package', '../../keys', ...home],
        code: 1,
        says: /\.\.\/\.\.\/keys/,
      },
      {
        what: 'a home without a daemon',
        args: ['status', '--home', scene.in('nowhere')],
        code: 1,
        says: /no daemon answers at .*nowhere\/run\/control\.sock/,
        hint: /banyan node/,
      },
      {
        what: 'a second root in the same home',
        args: ['init', ...home],
        code: 1,
        says: /root\/home is a node already/,
        hint: /--home/,
      },
    ]
    await allRefused(t, scene, rows)
  })

  await t.test('the local socket', async (t) => {
    const socket = path.join(scene.root, 'run', 'control.sock')
    const rows: [what: string, method: 'GET' | 'POST', url: string, body: unknown, says: RegExp][] = [
      ['an unknown call', 'GET', '/secrets', undefined, /no such call: GET \/secrets/],
      ['nothing', 'POST', '/publish', undefined, /\/publish: not JSON/],
      ['another shape', 'POST', '/publish', ['a'], /publish: .*expected/i],
      ['a key too many', 'POST', '/release', { message: '', allowRemovals: true, force: true }, /release: force: /],
      ['a wrong type', 'POST', '/tokens', { ttlMs: '1h', uses: 1 }, /token create: ttlMs: .*expected number/i],
      ['no end of uses', 'POST', '/tokens', { ttlMs: 60_000, uses: 1e9 }, /token create: uses: /],
      ['a name that means something to JavaScript', 'GET', '/packages/__proto__', undefined, /__proto__/],
      ['over a mebibyte', 'POST', '/publish', { path: 'x'.repeat(1024 * 1024) }, /a request has at most 1048576 bytes/],
    ]
    for (const [what, method, url, body, says] of rows) {
      const before = await stateOf(scene)
      const request = requestLocal({ path: socket, method, url, ...(body !== undefined && { body }), onLine: () => {} })
      await t.rejects(request, { message: says }, what)
      t.same(await stateOf(scene), before, 'nothing changed')
    }
  })
})

async function sceneFor(t: Test): Promise<Scene> {
  const tree = await realTree(t)
  const folder = path.join(tree.folder, 'inputs')
  await mkdir(folder)
  await tree.publish('motd', '1.0', { motd: 'hello\n' })
  await tree.release('groups: { it: { names: [root] } }\nrules: [{ nodes: [it], packages: { motd: latest } }]\n')
  await tree.reports('root', 'runs motd', (report) => report.converged === 1)
  const token = await tree.must('root', 'token', 'create')
  const { home: spare } = await tree.plant({ name: 'spare', site: 'berlin', parent: 'root', token, run: false })
  const root = tree.nodes.get('root')?.home ?? ''
  return { tree, root, spare, folder, in: (name) => path.join(folder, name) }
}

/** What a command says of its steps before it fails. */
const isProgress = /^(release|publish \S+): (packing|hashing|storing|compiling|signing|publishing)( \d.*)?$/

async function refused(t: Test, scene: Scene, row: Row): Promise<void> {
  await allRefused(t, scene, [row])
}

/** Two at a time, one for each core. */
async function allRefused(t: Test, scene: Scene, rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 2) {
    const pair = rows.slice(at, at + 2)
    const before = await stateOf(scene)
    const ended = await Promise.all(pair.map(({ args }) => scene.tree.banyan(args)))
    const after = await stateOf(scene)
    for (const [index, { what, code, says, hint }] of pair.entries()) {
      await t.test(what, async (t) => {
        const { code: exitCode, stdout, stderr } = ended[index] ?? { code: 0, stdout: '', stderr: '' }
        const lines = stderr.trimEnd().split('\n')
        const [error = '', second = '', ...rest] = lines.filter((line) => !isProgress.test(line))
        t.equal(exitCode, code, 'exit code')
        t.match(error, says)
        t.match(error, /^error: [^A-Z]/)
        if (hint !== undefined) t.match(second, hint)
        t.match(second, /^(hint: .*)?$/)
        t.same(rest, [], 'one sentence and a hint')
        t.equal(stdout, '')
        t.same(after, before, 'nothing changed')
      })
    }
  }
}

/**
 * Everything that the root and the spare node keep, but for the files of their databases, and what
 * the root says of itself.
 */
async function stateOf({ tree, root, spare }: Scene): Promise<unknown> {
  const isLive = (relative: string) => /^(state|kept|run)(\/|$)/.test(relative)
  const { packages } = (await tree.ask('root', '/packages')) as { packages: unknown }
  const { revision } = (await tree.ask('root', '/status')) as { revision: unknown }
  return {
    root: listingOf(root, isLive),
    spare: listingOf(spare, isLive),
    machine: tree.machine('root'),
    packages,
    revision,
  }
}

function contentOf(folder: string): Record<string, string> {
  try {
    return listingOf(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

type PublishRow = Omit<Row, 'code'> & { code?: 1 | 2 }

async function publishRows(scene: Scene): Promise<Row[]> {
  const at = scene.in
  const deb = await readFile(buildDeb(at('good.deb'), { files: { 'usr/share/way': 'north '.repeat(2000) } }))
  const file = async (name: string, content: Uint8Array | string) => {
    await writeFile(at(name), content)
    return at(name)
  }
  const folder = (name: string, files: Record<string, TreeFile>) => writeTree(at(name), files)
  const named = 'name: shop\nversion: 1.0\n'
  const flipped = Buffer.from(deb)
  const where = flipped.length - 200
  flipped[where] = (flipped[where] ?? 0) ^ 1
  const fifo = folder('fifo', { 'banyan.yaml': named, a: 'a' })
  run('mkfifo', [path.join(fifo, 'pipe')])
  const setuid = folder('setuid', { 'banyan.yaml': named, 'bin/su': { content: '#!/bin/sh\n', mode: 0o4755 } })
  folder('motd-1.0', { motd: 'hello\n' })

  const rows: PublishRow[] = [
    {
      what: 'a path where nothing is',
      args: [at('shop.deb')],
      says: /inputs\/shop\.deb: there is no such file or folder/,
    },
    {
      what: 'a .deb that was cut off',
      args: [await file('cut.deb', deb.subarray(0, -100))],
      says: /cut\.deb: not a whole Debian package: data\.tar\S* lacks \d+ bytes/,
    },
    { what: 'a .deb of zero bytes', args: [await file('empty.deb', '')], says: /empty\.deb: the file is empty/ },
    {
      what: 'a .deb with one byte flipped',
      args: [await file('flipped.deb', flipped)],
      says: /flipped\.deb: its data\.tar\.gz is damaged: /,
    },
    {
      what: 'a .deb without control data',
      args: [
        await file(
          'headless.deb',
          arOf([
            ['debian-binary', '2.0\n'],
            ['data.tar', Buffer.alloc(1024)],
          ]),
        ),
      ],
      says: /headless\.deb: not a Debian package: it has no control\.tar/,
    },
    {
      what: 'a .deb whose name is a path',
      args: [buildDeb(at('path.deb'), { control: { Package: '../../etc/cron.d/x' } })],
      says: /path\.deb: Package "\.\.\/\.\.\/etc\/cron\.d\/x": expected a package name/,
    },
    {
      what: 'a .deb under another version',
      args: [at('good.deb'), '--version', '9.9'],
      says: /good\.deb: the package is version 1\.0-1, not 9\.9/,
      hint: /are inside it/,
    },
    {
      what: 'an .rpm that is none',
      args: [await file('shop.rpm', 'rpm')],
      says: /shop\.rpm: not an rpm package/,
    },
    {
      what: 'a text file',
      args: [await file('readme.txt', 'x')],
      says: /readme\.txt: neither a package nor a folder/,
    },
    {
      what: 'a folder that does not say what it is',
      args: [folder('nameless', { a: 'a' })],
      says: /nameless: there is no banyan\.yaml in this folder/,
      hint: /--name and --version/,
    },
    {
      what: 'a folder with nothing in it',
      args: [folder('hollow', { 'banyan.yaml': named })],
      says: /hollow: there is nothing in it to publish/,
    },
    {
      what: 'a description with an unknown key',
      args: [folder('misspelt', { 'banyan.yaml': `${named}sumary: a shop\n`, a: 'a' })],
      says: /misspelt\/banyan\.yaml:3: unknown key "sumary"/,
      hint: /did you mean summary/,
    },
    {
      what: 'a hook that is not there',
      args: [folder('hookless', { 'banyan.yaml': `${named}hooks: { postInstall: hooks/go }\n`, a: 'a' })],
      says: /hookless: .*postInstall.* does not exist/,
    },
    {
      what: 'a link that leaves the folder',
      args: [folder('leaving', { 'banyan.yaml': named, shadow: { link: '../../../etc/shadow' } })],
      says: /leaving\/shadow: .*(outside|out of)/,
    },
    { what: 'a setuid file', args: [setuid], says: /setuid\/bin\/su: set-user-id or set-group-id/ },
    { what: 'a pipe', args: [fifo], says: /fifo\/pipe: / },
    {
      what: 'a name that apt would take for an option',
      args: [folder('option', { 'banyan.yaml': 'name: -oDPkg::Pre-Invoke\nversion: 1.0\n', a: 'a' })],
      says: /option\/banyan\.yaml:1: name: expected a package name.*-oDPkg/,
    },
    {
      what: 'the same on the command line',
      args: [at('motd-1.0'), '--name=-oDPkg::Pre-Invoke', '--version', '1.0'],
      says: /publish: name: expected a package name/,
    },
    {
      what: 'a version that is a path',
      args: [at('motd-1.0'), '--name', 'motd', '--version', '../1.0'],
      says: /publish: version: expected a version/,
    },
    {
      what: 'other content under a published version',
      args: [folder('changed', { motd: 'bye\n' }), '--name', 'motd', '--version', '1.0'],
      says: /motd 1\.0 for all is published already with another content/,
      hint: /give the new content a new version/,
    },
    {
      what: 'another kind under a published name',
      args: [buildDeb(at('motd.deb'), { control: { Package: 'motd' } })],
      says: /motd is published as tree already, not as deb/,
    },
  ]
  return rows.map((row) => ({ code: 1, ...row }))
}

interface PolicyRow {
  what: string
  /** Null removes the file. */
  policy: string | Uint8Array | null
  says: RegExp
  hint?: RegExp
}

const policyRows: PolicyRow[] = [
  {
    what: 'an unknown package',
    policy: 'rules:\n  - nodes: all\n    packages: { mtod: latest }\n',
    says: /policy\.yaml:3: nothing is published of a package mtod/,
    hint: /did you mean motd/,
  },
  {
    what: 'an unknown version',
    policy: 'rules:\n  - nodes: all\n    packages:\n      motd: 7.0\n',
    says: /policy\.yaml:4: version 7\.0 of motd is not published; there is 1\.0/,
  },
  {
    what: 'an unknown group',
    policy: 'groups: { web: { site: berlin } }\nrules:\n  - nodes: [wbe]\n    packages: { motd: latest }\n',
    says: /policy\.yaml:3: there is no group wbe/,
    hint: /did you mean web/,
  },
  {
    what: 'an unknown key',
    policy: 'rules:\n  - nodes: all\n    package: { motd: latest }\n',
    says: /policy\.yaml:3: rules\.0: unknown key "package"/,
    hint: /did you mean packages/,
  },
  {
    what: 'a rollout that ends before all have it',
    policy: 'rollouts: { careful: { waves: [1%] } }\nrules: []\n',
    says: /policy\.yaml:1: rollouts\.careful\.waves: expected 100% as the last wave/,
  },
  {
    what: 'a key twice',
    policy: 'rules: []\nrules:\n  - nodes: all\n    packages: { motd: latest }\n',
    says: /policy\.yaml:2: "rules" is there twice/,
  },
  {
    what: 'a package wanted and not wanted by one rule',
    policy: 'rules:\n  - nodes: all\n    packages:\n      motd: latest\n      motd: absent\n',
    says: /policy\.yaml:5: "motd" is there twice/,
    hint: /keep one of the two/,
  },
  { what: 'a tab', policy: 'rules:\n\t- nodes: all\n', says: /policy\.yaml:2: .*tab/i },
  { what: 'an open bracket', policy: 'rules: [\n', says: /policy\.yaml:\d: / },
  { what: 'a NUL', policy: 'rules: []\n\0', says: /policy\.yaml:2: control character U\+0000/ },
  { what: 'Latin-1', policy: Buffer.from('rules: []\n# \xfcber\n', 'latin1'), says: /policy\.yaml:2: not UTF-8 text/ },
  {
    what: 'an empty list of nodes',
    policy: 'rules:\n  - nodes: []\n    packages: { motd: latest }\n',
    says: /policy\.yaml:2: rules\.0\.nodes: an empty list is for no node/,
  },
  {
    what: 'a list of packages',
    policy: 'rules:\n  - nodes: all\n    packages: [motd]\n',
    says: /policy\.yaml:3: rules\.0\.packages: expected .*got a list/,
  },
  {
    what: 'a package name that reaches into JavaScript',
    policy: 'rules:\n  - nodes: all\n    packages: { __proto__: latest }\n',
    says: /policy\.yaml:3: .*"__proto__" cannot be used as a key/,
  },
  {
    what: 'aliases that mean more than fits',
    policy: `a: &a [x]\n${'bcdefghijklm'.replaceAll(/./g, (name) => `${name}: &${name} [${`*${String.fromCharCode(name.charCodeAt(0) - 1)},`.repeat(9)}]\n`)}rules: []\n`,
    says: /policy\.yaml:\d+: more than \d+ values/,
  },
  {
    what: 'a policy that would take away everything',
    policy: 'rules: []\n',
    says: /this release would remove 1 of 1 installed packages \(100 %\): motd on 1 node$/,
    hint: /--allow-removals/,
  },
  { what: 'no policy', policy: null, says: /policy\.yaml/ },
]

async function joinRows(t: Test, scene: Scene): Promise<Row[]> {
  const { tree, in: at } = scene
  const token = await tree.must('root', 'token', 'create', '--uses', '5')
  const usedUp = await tree.must('root', 'token', 'create', '--uses', '1')
  const madeBy = async (name: string) => {
    const made = await tree.banyan(['join', usedUp, '--home', at(`home of ${name}`), '--name', name])
    if (made.code !== 0) throw new Error(made.stderr)
  }
  await madeBy('first')
  const short = await tree.must('root', 'token', 'create', '--ttl', '1s')
  const own = ['--name', 'newcomer', '--listen', '127.0.0.1']

  const shortIsOver = async () => {
    const home = ['--home', at('home of a token that is over'), '--name', 'late', '--parent', 'https://127.0.0.1:1']
    return /expired/.test((await tree.banyan(['join', short, ...home])).stderr)
  }
  await until('the short token is over', shortIsOver)
  await rm(at('home of a token that is over'), { recursive: true, force: true })
  const other = await otherFleet(t, scene)
  return [
    {
      what: 'a token that is none',
      args: ['sesame', ...own],
      code: 1,
      says: /not a token: expected banyan1\./,
      hint: /banyan token create/,
    },
    {
      what: 'a token that was cut off',
      args: [token.slice(0, -40), ...own],
      code: 1,
      says: /token is cut off \(\d+ characters\)/,
      hint: /on one line/,
    },
    {
      what: 'a token with a character changed',
      args: [`${token.slice(0, 300)}${token[300] === 'A' ? 'B' : 'A'}${token.slice(301)}`, ...own],
      code: 1,
      says: /token is (damaged|cut off)|token: /,
    },
    {
      what: 'a token that is over',
      args: [short, ...own],
      code: 1,
      says: /token [0-9a-f]{16} expired at 20/,
      hint: /banyan token create/,
    },
    {
      what: 'a token that is used up',
      args: [usedUp, ...own],
      code: 1,
      says: /token [0-9a-f]{16} is used up \(1 of 1\)/,
      hint: /banyan token create/,
    },
    {
      what: 'a name that is taken',
      args: [token, '--name', 'spare'],
      code: 1,
      says: /there is a node spare already/,
      hint: /another --name/,
    },
    {
      what: 'a name that is no name',
      args: [token, '--name', 'Spare Node'],
      code: 1,
      says: /name: expected a node name/,
    },
    {
      what: 'a home that is a node already',
      args: [token, ...own, '--home', scene.spare],
      code: 1,
      says: /spare\/home is a node already/,
      hint: /another --home/,
    },
    {
      what: 'a parent of another fleet',
      args: [token, ...own, '--parent', other],
      code: 1,
      says: /has no certificate of this fleet/,
    },
    {
      what: 'a parent that is not there',
      args: [token, ...own, '--parent', 'https://127.0.0.1:1'],
      code: 1,
      says: /no parent answered: https:\/\/127\.0\.0\.1:1: cannot reach/,
      hint: /--parent/,
    },
    {
      what: 'an address without TLS',
      args: [token, ...own, '--parent', 'http://127.0.0.1:7420'],
      code: 1,
      says: /join: parents\.0: expected https:\/\/ADDRESS:PORT/,
    },
    {
      what: 'a label without a value',
      args: [token, ...own, '--label', 'role'],
      code: 2,
      says: /--label: expected KEY=VALUE, not role/,
    },
    {
      what: 'a label key that is no word',
      args: [token, ...own, '--label', 'a b=c'],
      code: 1,
      says: /join: labels\.a b: expected a word/,
    },
    {
      what: 'a site that is no word',
      args: [token, ...own, '--site', 'Unter den Linden'],
      code: 1,
      says: /join: site: expected a word/,
    },
    {
      what: 'a port that is none',
      args: [token, ...own, '--control-port', '70000'],
      code: 2,
      says: /--control-port: expected a whole number from 0 to 65535, not 70000/,
    },
  ]
}

/**
 * Serves a control port with the certificate of another fleet's root; resolves with its address.
 */
async function otherFleet(t: Test, { tree, in: at }: Scene): Promise<string> {
  const home = at('other-fleet')
  const { code, stderr } = await tree.banyan([
    'init',
    '--home',
    home,
    '--name',
    'root',
    '--target-root',
    at('other-machine'),
  ])
  if (code !== 0) throw new Error(stderr)
  const { tls } = await loadIdentity(path.join(home, 'keys'), systemDisk)
  const http = openHttp({ onError: () => {} })
  const server = await http.serve({
    ...{ address: '127.0.0.1', port: 0, tls },
    bodyMaxBytes: () => 0,
    handler: () => Promise.resolve({ status: 200 }),
  })
  t.teardown(() => server.close())
  return `https://127.0.0.1:${server.port}`
}

interface SettingsRow {
  what: string
  settings: string | ((honest: string) => string)
  says: RegExp
  hint?: RegExp
}

function settingsRows(tree: RealTree): SettingsRow[] {
  const taken = new URL(tree.nodes.get('root')?.controlUrl ?? '').port
  const set = (key: string, value: string) => (honest: string) =>
    honest.replace(new RegExp(`^${key}:.*$`, 'm'), `${key}: ${value}`)
  return [
    {
      what: 'an unknown key',
      settings: (honest) => `${honest}controlport: 7420\n`,
      says: /spare\/home\/node\.yaml:\d+: unknown key "controlport"/,
      hint: /did you mean controlPort/,
    },
    {
      what: 'a wrong type',
      settings: set('controlPort', '"many"'),
      says: /node\.yaml:\d+: controlPort: expected a port: a whole number from 0 to 65535, got "many"/,
    },
    {
      what: 'a port out of range',
      settings: set('controlPort', '70000'),
      says: /node\.yaml:\d+: controlPort: expected a port: .*, got "70000"/,
    },
    {
      what: 'a parent without TLS',
      settings: set('parents', '["http://root:1"]'),
      says: /node\.yaml:\d+: parents\.0: expected https:\/\//,
    },
    {
      what: 'settings of another program',
      settings: '{"server": {"listen": 80}}\n',
      says: /node\.yaml:1: unknown key "server"/,
    },
    { what: 'no settings at all', settings: '', says: /node\.yaml:1: name is missing/ },
    { what: 'what is no YAML', settings: 'name: [spare\nlisten: "127', says: /node\.yaml:\d: / },
    { what: 'binary', settings: 'name: spare\n\0\0', says: /node\.yaml:2: control character U\+0000/ },
    {
      what: 'a name that the certificate is not for',
      settings: set('name', '"other"'),
      says: /node\.yaml: name is other, and the certificate is for spare/,
      hint: /set the name back in node\.yaml/,
    },
    {
      what: 'a port that is taken',
      settings: set('controlPort', taken),
      says: new RegExp(`error: port ${taken} at 127\\.0\\.0\\.1 is taken`),
      hint: /does its daemon run already\?.*another port/,
    },
    {
      what: 'a swarm port that is taken',
      settings: set('swarmPort', taken),
      says: new RegExp(`swarm port ${taken} at 127\\.0\\.0\\.1 is taken`),
    },
    {
      what: 'an address that is not ours',
      settings: set('listen', '"192.0.2.1"'),
      says: /cannot listen at swarm port \d+ at 192\.0\.2\.1: .*EADDRNOTAVAIL/,
    },
  ]
}
