// Plain HTTP: nginx at the root, every machine takes all files from it. And with a caching proxy on
// every machine that others take from. And one transfer alone, which tells what a link gives.

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { bytesOf, type Load } from '../load.ts'
import type { Lab } from '../site.ts'
import { ended, listening, type Prepared, rootOf, type System, stagingOf, takersOf } from '../system.ts'

type Way = 'one' | 'each' | 'cached'

/**
 * What the link itself gives: nobody can be faster over TCP, whose headers the shaping counts and
 * the ideal does not.
 */
export const oneTransfer: System = systemOf('one HTTP transfer', 'one')
export const plainHttp: System = systemOf('every node by HTTP', 'each')
export const cachingProxy: System = systemOf('nginx caching proxy', 'cached')

function systemOf(name: string, way: Way): System {
  const needs = { nginx: 'nginx-light', curl: 'curl' }
  return { name, needs, prepare: (lab, load) => prepare(lab, load, way) }
}

async function prepare(lab: Lab, load: Load, way: Way): Promise<Prepared> {
  const root = rootOf(lab)
  await nginx(lab, root, `location / { root ${load.folder}; }`)
  const staging = stagingOf(lab)
  for (const { name, parent } of way === 'cached' ? staging : []) {
    const upstream = `upstream parent { server ${lab.address(parent)}:8080; keepalive 32; }`
    const lines = [
      'proxy_pass http://parent; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache all;',
      'proxy_cache_valid 200 1h; proxy_cache_lock on; proxy_cache_lock_timeout 1h; proxy_cache_lock_age 1h;',
    ]
    await nginx(lab, name, `location / { ${lines.join(' ')} }`, upstream)
  }
  // A staging server has it once its cache has; without caches there is no need for one.
  const takers = takersOf(lab).filter(({ name }) => !staging.some((each) => each.name === name))
  const fetching = await Promise.all(
    takers.slice(way === 'one' ? -1 : 0).map(async ({ name, parent }) => {
      const url = `http://${lab.address(way === 'cached' ? parent : root)}:8080`
      const lines = [...load.sizes.keys()].map((file) => `url = "${url}/${file}"\noutput = "${file}"\n`)
      await writeFile(path.join(lab.folder, name, 'curl.conf'), lines.join(''))
      return name
    }),
  )
  // Many files by one curl that keeps its connections.
  const parallel = load.sizes.size > 1 ? ['--parallel', '--parallel-max', '16'] : []
  const args = ['-sSf', ...parallel, '-K', 'curl.conf']
  return {
    bytes: bytesOf(load),
    go: async () => {
      await Promise.all(fetching.map((name) => ended(lab.spawn(name, 'curl', args), `curl on ${name}`)))
      return Date.now()
    },
  }
}

async function nginx(lab: Lab, machine: string, location: string, upstream = ''): Promise<void> {
  const folder = path.join(lab.folder, machine)
  await mkdir(path.join(folder, 'logs'))
  const at = (name: string) => path.join(folder, name)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const text = `
daemon off; user root; worker_processes 1; pid ${at('nginx.pid')}; error_log ${at('logs/error.log')};
events {}
http {
  access_log off; sendfile on; tcp_nopush on;
  ${temporary.map((name) => `${name}_temp_path ${at(`${name}-temp`)};`).join(' ')}
  proxy_cache_path ${at('cache')} levels=1:2 keys_zone=all:10m max_size=10g use_temp_path=off;
  ${upstream}
  server { listen ${lab.address(machine)}:8080; ${location} }
}
`
  await writeFile(at('nginx.conf'), text)
  const child = lab.spawn(machine, 'nginx', ['-e', at('logs/error.log'), '-c', at('nginx.conf')])
  const failed = ended(child, `nginx on ${machine}`)
  failed.catch(() => {})
  await Promise.race([listening(lab, machine, 8080), failed])
}
