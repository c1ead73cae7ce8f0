// Plain HTTP: nginx at the root, every machine takes the whole file from it. And with a caching proxy on every machine that
// others take from. And one transfer alone, which tells what a link gives.

import { mkdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Lab } from '../site.ts'
import { ended, listening, type Prepared, rootOf, type System, stagingOf, takersOf } from '../system.ts'

type Way = 'one' | 'each' | 'cached'

/** What the link itself gives: nobody can be faster over TCP, whose headers the shaping counts and the ideal does not. */
export const oneTransfer: System = systemOf('one HTTP transfer', 'one')
export const plainHttp: System = systemOf('every node by HTTP', 'each')
export const cachingProxy: System = systemOf('nginx caching proxy', 'cached')

function systemOf(name: string, way: Way): System {
  return { name, prepare: (lab, payload) => prepare(lab, payload, way) }
}

async function prepare(lab: Lab, payload: string, way: Way): Promise<Prepared> {
  const root = rootOf(lab)
  await nginx(lab, root, `location / { root ${path.dirname(payload)}; }`)
  const staging = stagingOf(lab)
  for (const { name, parent } of way === 'cached' ? staging : []) {
    const lines = [
      `proxy_pass http://${lab.address(parent)}:8080; proxy_http_version 1.1; proxy_cache all;`,
      'proxy_cache_valid 200 1h; proxy_cache_lock on; proxy_cache_lock_timeout 1h; proxy_cache_lock_age 1h;',
    ]
    await nginx(lab, name, `location / { ${lines.join(' ')} }`)
  }
  const file = path.basename(payload)
  // A staging server has it once its cache has; without caches there is no need for one.
  const takers = takersOf(lab).filter(({ name }) => !staging.some((each) => each.name === name))
  return {
    bytes: (await stat(payload)).size,
    go: async () => {
      await Promise.all(
        takers.slice(way === 'one' ? -1 : 0).map(({ name, parent }) => {
          const url = `http://${lab.address(way === 'cached' ? parent : root)}:8080/${file}`
          return ended(lab.spawn(name, 'curl', ['-sSf', '-o', 'payload', url]), `curl on ${name}`)
        }),
      )
      return Date.now()
    },
  }
}

async function nginx(lab: Lab, machine: string, location: string): Promise<void> {
  const folder = path.join(lab.folder, machine)
  await mkdir(path.join(folder, 'logs'))
  const at = (name: string) => path.join(folder, name)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const text = `
daemon off; user root; worker_processes 1; pid ${at('nginx.pid')}; error_log ${at('logs/error.log')};
events {}
http {
  access_log off; sendfile on;
  ${temporary.map((name) => `${name}_temp_path ${at(`${name}-temp`)};`).join(' ')}
  proxy_cache_path ${at('cache')} keys_zone=all:1m max_size=10g use_temp_path=off;
  server { listen ${lab.address(machine)}:8080; ${location} }
}
`
  await writeFile(at('nginx.conf'), text)
  const child = lab.spawn(machine, 'nginx', ['-e', at('logs/error.log'), '-c', at('nginx.conf')])
  const failed = ended(child, `nginx on ${machine}`)
  failed.catch(() => {})
  await Promise.race([listening(lab, machine, 8080), failed])
}
