// Machines that come back, as a person brings them back: real daemons, below a staging server.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { loadIdentity } from '../../src/trust/identity.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { type RealTree, realTree } from './real-tree.ts'
import { until } from './until.ts'

t.setTimeout(240_000)

const policy = (version: string) =>
  `groups:\n  tills: { site: berlin }\nrules:\n  - nodes: [tills]\n    packages: { shop: '${version}' }\n`

t.test(
  'a node comes back with a new key, with its old name, and under another name',
  { timeout: 230_000 },
  async (t) => {
    const tree = await realTree(t)
    await tree.plant({
      name: 'middle',
      site: 'berlin',
      parent: 'root',
      token: await tree.must('root', 'token', 'create'),
    })
    const token = await tree.must('root', 'token', 'create')
    const till = await tree.plant({ name: 'till', site: 'berlin', parent: 'middle', token })
    for (const version of ['1.0', '2.0']) await tree.publish('shop', version, { VERSION: version })
    await tree.release(policy('1.0'))
    await hasAtRoot(tree, '1.0')
    const keyOf = async () => (await loadIdentity(path.join(till.home, 'keys'), systemDisk)).keyId
    const newToken = (...args: string[]) => tree.must('root', 'token', 'create', ...args)
    const run = (...args: string[]) => tree.banyan([...args, '--home', till.home])

    await t.test('while its daemon runs', async (t) => {
      const [before, outcomes] = [await keyOf(), await readFile(path.join(till.targetRoot, 'opt/shop/current/VERSION'))]
      t.match(await tree.must('till', 'join', '--again', await newToken()), /new certificate.*\n.*daemon goes on/)
      t.not(await keyOf(), before)
      await tree.release(policy('2.0'))
      await hasAtRoot(tree, '2.0')
      t.equal(outcomes.toString(), '1.0')
      t.same(await attacksOf(tree), [], 'nobody is taken for an attacker')
      const middle = path.join(tree.nodes.get('middle')?.home ?? '', 'revoked.json')
      await until('the parent knows of the former key', async () => (await readFile(middle, 'utf8')).includes(before))
    })

    await t.test('after a revocation, as the hints say', async (t) => {
      t.match(await tree.must('root', 'revoke', 'till'), /token create --replaces till/)
      await until('the till is turned away', async () =>
        /was revoked/.test(JSON.stringify(await tree.ask('till', '/status'))),
      )
      const plain = await run('join', '--again', await newToken())
      t.match(plain, { code: 1, stderr: /till was revoked\nhint: .*token create --replaces till/ })
      const before = await keyOf()
      await tree.stop('till', 'SIGTERM')
      const replaces = await newToken('--replaces', 'till')
      t.match(await tree.must('till', 'join', '--again', replaces), /next: banyan node --home/)
      t.not(await keyOf(), before)
      await tree.start('till')
      await tree.release(policy('1.0'))
      await hasAtRoot(tree, '1.0')
    })

    await t.test('reinstalled, by a token that replaces it', async (t) => {
      const settings = await readFile(path.join(till.home, 'node.yaml'), 'utf8')
      await tree.stop('till', 'SIGKILL')
      await rm(till.home, { recursive: true })
      const own = ['--parent', tree.nodes.get('middle')?.controlUrl ?? '', '--site', 'berlin']
      const taken = await run('join', await newToken(), '--name', 'till', ...own)
      t.match(taken, { code: 1, stderr: /there is a node till already\nhint: .*--replaces till/ })
      const replaces = await newToken('--replaces', 'till')
      const other = await run('join', replaces, '--name', 'till-2', ...own)
      t.match(other, { code: 1, stderr: /for the name till, and not for till-2\nhint: give --name till/ })
      t.match(await tree.must('till', 'join', replaces, ...own), /^till joined below/)
      await writeFile(path.join(till.home, 'node.yaml'), settings)
      await tree.start('till')
      await tree.release(policy('2.0'))
      await hasAtRoot(tree, '2.0')
      t.match(await tree.must('root', 'nodes'), /till/)
    })

    await t.test('under another name, for a copy of a machine', async (t) => {
      const again = await run('join', '--again', await newToken(), '--name', 'till-2')
      t.match(again, { code: 0, stdout: /^till-2 has a new certificate/ })
      t.match(await tree.ask('till', '/identity'), { name: 'till-2' })
      await tree.release(policy('1.0'))
      await hasAtRoot(tree, '1.0', 'till-2')
      t.match(await readFile(path.join(till.home, 'node.yaml'), 'utf8'), /^name: "till-2"/m)
    })

    await t.test('a token that is used up, one that is over, and a parent that does not answer', async (t) => {
      const [home, targetRoot] = [path.join(tree.folder, 'new', 'home'), path.join(tree.folder, 'new', 'machine')]
      const middle = tree.nodes.get('middle')?.controlUrl ?? ''
      const join = (given: string, parent = middle) =>
        tree.banyan(['join', given, '--home', home, '--name', 'new', '--target-root', targetRoot, '--parent', parent])
      t.match(await join(token), { code: 1, stderr: /used up.*\nhint: .*banyan token create/ })
      const short = await newToken('--ttl', '1s')
      const late = await until('the token is over', async () => {
        const tried = await tree.banyan([
          'join',
          short,
          '--home',
          `${home}-2`,
          '--name',
          'till',
          '--target-root',
          targetRoot,
        ])
        return /expired/.test(tried.stderr) ? tried : undefined
      })
      t.match(late, { code: 1, stderr: /expired at.*\nhint: .*banyan token create/ })
      const nobody = await join(await newToken(), 'https://127.0.0.1:9')
      t.match(nobody, { code: 1, stderr: /no parent answered.*\nhint: .*--parent/ })
      t.match(await join(await newToken()), { code: 0, stdout: /^new joined below/ })
    })

    await t.test('a daemon that does not run, that runs already, or that is of another user', async (t) => {
      const second = await run('node')
      t.match(second, { code: 1, stderr: /\nhint: .*runs? already/ })
      const stranger = await asStranger(till.home)
      t.match(stranger, { code: 1, stderr: /no permission.*\nhint: run this as the user of the daemon/ })
      await tree.stop('till', 'SIGTERM')
      t.match(await run('status'), { code: 1, stderr: /no daemon answers.*\nhint: .*banyan node/ })
      const file = path.join(till.home, 'node.yaml')
      const text = await readFile(file, 'utf8')
      await writeFile(file, text.replace('till-2', 'till-3'))
      t.match(await run('node'), { code: 1, stderr: /certificate is for till-2\nhint: set the name back/ })
      t.match(await run('join', '--again', await newToken(), '--name', 'till-3'), {
        code: 0,
        stdout: /^till-3 has a new/,
      })
      await tree.start('till')
      t.match(await tree.ask('till', '/identity'), { name: 'till-3' })
    })

    await t.test('and what cannot be is refused with words', async (t) => {
      const again = await newToken()
      t.match(await run('join', again), { code: 1, stderr: /is a node already\nhint: banyan join --again/ })
      t.match(await run('join', '--again', again, '--site', 'x'), { code: 2, stderr: /--site is not taken.*\nhint:/ })
      const nowhere = await tree.banyan(['join', '--again', again, '--home', path.join(tree.folder, 'nowhere')])
      t.match(nowhere, { code: 1, stderr: /no node was made here\nhint: .*banyan join TOKEN/ })
      const root = await tree.banyan(['join', '--again', again, '--home', tree.nodes.get('root')?.home ?? ''])
      t.match(root, { code: 1, stderr: /is a root.*\nhint:/ })
      for (const args of [
        ['revoke', 'nobody'],
        ['token', 'create', '--replaces', 'nobody'],
      ]) {
        const { code, stderr } = await tree.banyan([...args, '--home', tree.nodes.get('root')?.home ?? ''])
        t.equal(code, 1)
        t.match(stderr, /there is no node nobody.*\nhint: banyan nodes/)
      }
    })
  },
)

function hasAtRoot(tree: RealTree, version: string, name = 'till'): Promise<unknown> {
  return until(`the root knows ${name} with ${version}`, async () => {
    const { state, packages } = await tree.report(name, 'root')
    return state === 'converged' && packages.some((each) => each.version === version)
  })
}

/** Runs `banyan status` as a user who may not open this home. */
async function asStranger(home: string): Promise<{ code: number | null; stderr: string }> {
  const isRoot = process.getuid?.() === 0
  const run = path.join(home, 'run')
  if (!isRoot) await chmod(run, 0)
  const program = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'banyan.js')
  const child = spawn(process.execPath, [program, 'status', '--home', home], {
    ...(isRoot && { uid: 65534, gid: 65534 }),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (part) => {
    stderr += part
  })
  const [code] = await once(child, 'close')
  if (!isRoot) await chmod(run, 0o700)
  return { code, stderr }
}

async function attacksOf(tree: RealTree): Promise<unknown[]> {
  const reports = await Promise.all([...tree.nodes.keys()].map((name) => tree.report(name)))
  return reports.flatMap(({ attacks }) => attacks)
}
