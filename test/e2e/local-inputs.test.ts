// What a person publishes does not hold up the root: it answers meanwhile, releases, and stops when
// it is told to.

import { spawnSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { requestLocal } from '../../src/world/local.ts'
import { realTree } from './real-tree.ts'

t.test('a publication that takes long holds up neither releases nor SIGTERM', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t)
  const root = tree.nodes.get('root')
  const socket = path.join(root?.home ?? '', 'run', 'control.sock')
  const publish = (folder: string, onLine: () => void = () => {}) =>
    requestLocal({ path: socket, method: 'POST', url: '/publish', body: { path: folder }, onLine })

  const [piped, vast] = [path.join(tree.folder, 'piped'), path.join(tree.folder, 'vast')]
  for (const folder of [piped, vast]) mkdirSync(folder)
  spawnSync('mkfifo', [path.join(piped, 'banyan.yaml')])
  await t.rejects(publish(piped), { code: 'bad-input', message: /banyan\.yaml is not a plain file$/ })

  writeFileSync(path.join(vast, 'banyan.yaml'), 'name: vast\nversion: 1\n')
  writeFileSync(path.join(vast, 'map'), '')
  // It takes no room, and is copied for a long while.
  truncateSync(path.join(vast, 'map'), 16 * 2 ** 30)
  const begun = Promise.withResolvers<void>()
  const stopped = t.rejects(publish(vast, begun.resolve), 'it ends with the root')
  await begun.promise
  await tree.release('rules:\n  - nodes: all\n    packages: { shop: absent }\n')
  t.equal((await tree.reports('root', 'reports of itself', () => true)).node, 'root', 'and it answers')
  const daemon = root?.process
  const ended = new Promise((resolve) => daemon?.once('exit', (code, signal) => resolve(code ?? signal)))
  const at = performance.now()
  daemon?.kill('SIGTERM')
  t.equal(await ended, 0, 'it stops by itself')
  // The daemon gives itself five seconds; a busy machine may need some more to end it.
  t.ok(performance.now() - at < 30_000, 'within its time')
  await stopped
})
