// Builds .rpm files with rpmbuild.

import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { builtOnce } from './built-once.ts'
import { run } from './workbench.ts'

export interface RpmParts {
  name?: string
  version?: string
  release?: string
  /** As rpm calls it; the default is `noarch`. */
  arch?: string
  /** More lines of the spec's preamble, e.g. `Requires: base >= 1`. */
  preamble?: readonly string[]
  /** By path on the machine. One that starts with `#!` can be run. */
  files?: Readonly<Record<string, string>>
  /** Paths that lie there already, with the file each is a copy of. */
  copies?: Readonly<Record<string, string>>
  config?: Readonly<Record<string, string>>
  /** By rpm's name of each: pre, post, preun, postun. */
  scriptlets?: Readonly<Record<string, string>>
  /** Of rpm, e.g. `w19.zstdio`. */
  payload?: string
  source?: boolean
}

/**
 * At `path`, which it returns. Nothing is found out about what it requires and provides: only what
 * is written counts.
 */
export function buildRpm(path: string, parts: RpmParts = {}): string {
  const copies = Object.values(parts.copies ?? {}).map((from) => [from, fs.statSync(from).mtimeMs])
  builtOnce(path, [ownSource, parts, copies], (file) => build(file, parts))
  return path
}

/** Packages that another version of this file built are of no use. */
const ownSource = fs.readFileSync(import.meta.filename, 'utf8')

function build(path: string, parts: RpmParts): void {
  const {
    name = 'signpost',
    version = '1.0',
    release = '1',
    preamble = [],
    payload = 'w1.gzdio',
    source = false,
  } = parts
  const { files = {}, copies = {}, config = {}, scriptlets = {} } = parts
  const top = fs.mkdtempSync(`${path}-`)
  const content = join(top, 'content')
  fs.mkdirSync(content)
  const put = (at: string, write: (to: string) => void) => {
    fs.mkdirSync(dirname(join(content, at)), { recursive: true })
    write(join(content, at))
  }
  for (const [at, text] of Object.entries({ ...files, ...config })) {
    put(at, (to) => fs.writeFileSync(to, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 }))
  }
  for (const [at, from] of Object.entries(copies)) put(at, (to) => fs.copyFileSync(from, to))
  const folders = new Set(
    Object.keys(files)
      .map(dirname)
      .filter((folder) => folder.startsWith('/opt/')),
  )
  const spec = [
    `Name: ${name}`,
    `Version: ${version}`,
    `Release: ${release}`,
    'Summary: points the way',
    'License: none',
    'AutoReqProv: no',
    ...(preamble.some((line) => line.startsWith('BuildArch:')) ||
    parts.arch !== undefined ||
    Object.keys(copies).length > 0
      ? []
      : ['BuildArch: noarch']),
    ...preamble,
    // Nothing is stripped, packed or compiled.
    '%define __os_install_post %{nil}',
    '%description',
    'A longer text.',
    '%install',
    `mkdir -p %{buildroot}; cp -a '${content}/.' %{buildroot}/`,
    ...Object.entries(scriptlets).flatMap(([script, lines]) => [`%${script}`, lines]),
    '%files',
    ...[...folders].map((folder) => `%dir ${folder}`),
    ...[...Object.keys(files), ...Object.keys(copies)].map((at) => `"${at}"`),
    ...Object.keys(config).map((at) => `%config(noreplace) "${at}"`),
  ]
  fs.writeFileSync(join(top, 'it.spec'), `${spec.join('\n')}\n`)
  const defines = { _topdir: top, _build_name_fmt: 'it.rpm', _binary_payload: payload, _build_id_links: 'none' }
  run('rpmbuild', [
    source ? '-bs' : '-bb',
    '--quiet',
    ...(parts.arch === undefined ? [] : ['--target', parts.arch]),
    ...Object.entries(defines).flatMap(([key, value]) => ['--define', `${key} ${value}`]),
    join(top, 'it.spec'),
  ])
  const built = source ? join(top, 'SRPMS', `${name}-${version}-${release}.src.rpm`) : join(top, 'RPMS', 'it.rpm')
  fs.renameSync(built, path)
  fs.rmSync(top, { recursive: true })
}
