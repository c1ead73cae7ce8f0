// Packages for tests, built by the real tools, with the scripts that a test wants to see fail.

import { hash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { Manifest } from '../../src/model/manifest.ts'
import type { Action } from '../../src/reconcile/plan.ts'
import type { Step } from '../../src/reconcile/providers/provider.ts'
import { buildRpm as buildRpmFile } from '../repository/build-rpm.ts'
import { builtOnce } from '../repository/built-once.ts'
import { run } from '../repository/workbench.ts'
import { tarOf, treeOf } from './tar-writer.ts'

export interface Wanted {
  name: string
  version: string
  /** Path and content, below the folder where a package of its kind has its files. */
  files?: Readonly<Record<string, string>>
  depends?: string[]
  /** Shell lines of each script. */
  scripts?: Partial<Record<'preInstall' | 'postInstall' | 'preRemove' | 'postRemove', string>>
  /** Shell lines that run when another package brings files below a folder. Debs and rpms only. */
  trigger?: { on: string; lines: string }
  /** Path on the machine, and content. Debs and rpms only. */
  conffiles?: Readonly<Record<string, string>>
  /** The default is `all`. Debs and rpms only. */
  arch?: Manifest['arch']
  /** More lines of the control file or the spec. Debs and rpms only. */
  fields?: readonly string[]
  /** The folder below /opt for the files; the default is the name. Rpms only. */
  folder?: string
  /** Paths that lie there already, with the file each is a copy of. Rpms only. */
  copies?: Readonly<Record<string, string>>
}

export interface Built {
  manifest: Manifest
  digest: string
  path: string
}

export async function buildTree(folder: string, wanted: Wanted): Promise<Built> {
  const hooks = Object.fromEntries(Object.keys(wanted.scripts ?? {}).map((name) => [name, `hooks/${name}`]))
  const scripts = Object.entries(wanted.scripts ?? {}).map(([name, lines]) => [
    `hooks/${name}`,
    `#!/bin/sh\n${lines}\n`,
  ])
  const files = { ...filesOf(wanted), ...Object.fromEntries(scripts) }
  return await built(folder, wanted, 'tree', tarOf(treeOf(files)), hooks)
}

/** The files of the package are in /opt/<name>. */
export async function buildDeb(folder: string, wanted: Wanted): Promise<Built> {
  const file = path.join(await fs.mkdtemp(path.join(folder, 'deb-')), 'it.deb')
  const tree = debTree(wanted)
  builtOnce(file, ['deb', tree], (file) => buildDebFile(file, tree))
  return await built(folder, wanted, 'deb', await fs.readFile(file), {})
}

type DebFile = [file: string, content: string, mode: number]

function debTree({
  name,
  version,
  depends = [],
  scripts = {},
  conffiles = {},
  fields = [],
  arch = 'all',
  trigger,
  ...wanted
}: Wanted): DebFile[] {
  const triggered = trigger && `if [ "$1" = triggered ]; then\n${trigger.lines}\nexit\nfi\n`
  const all = trigger ? { ...scripts, postInstall: `${triggered}${scripts.postInstall ?? ''}` } : scripts
  const control = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${arch}`,
    'Maintainer: nobody <nobody@example.org>',
    ...(depends.length === 0 ? [] : [`Depends: ${depends.join(', ')}`]),
    ...fields,
    `Description: fixture ${name}`,
  ]
  const debName = { preInstall: 'preinst', postInstall: 'postinst', preRemove: 'prerm', postRemove: 'postrm' } as const
  const configFiles = Object.entries(conffiles)
  return [
    ...Object.entries(filesOf({ name, version, ...wanted })).map(
      ([file, content]): DebFile => [`opt/${name}/${file}`, content, content.startsWith('#!') ? 0o755 : 0o644],
    ),
    ...configFiles.map(([file, content]): DebFile => [file, content, 0o644]),
    ...(configFiles.length === 0
      ? []
      : [['DEBIAN/conffiles', `${Object.keys(conffiles).join('\n')}\n`, 0o644] satisfies DebFile]),
    ['DEBIAN/control', `${control.join('\n')}\n`, 0o644],
    ...(trigger ? [['DEBIAN/triggers', `interest ${trigger.on}\n`, 0o644] satisfies DebFile] : []),
    ...Object.entries(all).map(
      ([script, lines]): DebFile => [
        `DEBIAN/${debName[script as keyof typeof debName]}`,
        `#!/bin/sh\n${lines}\n`,
        0o755,
      ],
    ),
  ]
}

function buildDebFile(deb: string, tree: readonly DebFile[]): void {
  const from = `${deb}-content`
  for (const [file, content, mode] of tree) {
    mkdirSync(path.join(from, path.dirname(file)), { recursive: true })
    writeFileSync(path.join(from, file), content, { mode })
  }
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '-b', from, deb])
}

/** The files of the package are in /opt/<name>. The version is `version-release`. */
export async function buildRpm(folder: string, wanted: Wanted): Promise<Built> {
  const { name, version, depends = [], scripts = {}, conffiles = {}, fields = [] } = wanted
  const below = `/opt/${wanted.folder ?? name}`
  const dash = version.lastIndexOf('-')
  const [epoch, upstream] = /^(?:(\d+):)?(.*)$/.exec(version.slice(0, dash))?.slice(1) ?? []
  const files = Object.entries(filesOf(wanted)).map(([file, content]) => [`${below}/${file}`, content])
  const scriptlet = { preInstall: 'pre', postInstall: 'post', preRemove: 'preun', postRemove: 'postun' } as const
  const file = buildRpmFile(path.join(await fs.mkdtemp(path.join(folder, 'rpm-')), 'it.rpm'), {
    name,
    version: upstream ?? '',
    release: version.slice(dash + 1),
    ...(wanted.arch === undefined || wanted.arch === 'all' ? {} : { arch: rpmArchs[wanted.arch] ?? wanted.arch }),
    copies: wanted.copies ?? {},
    preamble: [
      ...(epoch === undefined ? [] : [`Epoch: ${epoch}`]),
      ...depends.map((clause) => `Requires: ${clause}`),
      ...fields,
    ],
    files: Object.fromEntries(files),
    config: conffiles,
    scriptlets: Object.fromEntries([
      ...Object.entries(scripts).map(([script, lines]) => [scriptlet[script as keyof typeof scriptlet], lines]),
      ...(wanted.trigger ? [[`transfiletriggerin -- ${wanted.trigger.on}`, wanted.trigger.lines]] : []),
    ]),
  })
  return await built(folder, wanted, 'rpm', await fs.readFile(file), {})
}

const rpmArchs: Partial<Record<Manifest['arch'], string>> = { amd64: 'x86_64', i386: 'i686', arm64: 'aarch64' }

/** The step that a plan would have for a package. */
export function stepOf(
  what: Action['what'],
  built: Built,
  more: { from?: string | null; previous?: Built; cause?: Action['cause']; found?: string } = {},
): Step {
  const { manifest, digest } = built
  const { name, kind, version, payload } = manifest
  const { from = null, previous, cause = 'pending', found = '' } = more
  if (what === 'remove') {
    const gone = { name, kind, what, cause, from: from ?? version, to: null, found, source: null, previous: null }
    return { action: gone, manifest: null }
  }
  const before = previous?.manifest
  const action: Action = {
    name,
    kind,
    what,
    cause,
    from,
    to: version,
    found,
    source: { manifest: digest, payload: payload.sha256, path: built.path },
    previous:
      previous === undefined || before === undefined
        ? null
        : { version: before.version, payload: before.payload.sha256, path: previous.path },
  }
  return { action, manifest }
}

function filesOf({ version, files = {} }: Wanted): Record<string, string> {
  return { VERSION: `${version}\n`, ...files }
}

/** What the lines of a control file or of a spec say of other packages. */
function relationsIn(fields: readonly string[]): Pick<Manifest, 'provides' | 'conflicts' | 'replaces'> {
  const said = (...words: string[]) =>
    fields.flatMap((line) => {
      const [word = '', list = ''] = line.split(/: */, 2)
      return words.includes(word) ? list.split(/, */) : []
    })
  return {
    provides: said('Provides'),
    conflicts: said('Conflicts', 'Breaks'),
    replaces: said('Replaces', 'Obsoletes'),
  }
}

/** Writes the payload into `folder` under its digest, as in a node's store. */
async function built(
  folder: string,
  { name, version, depends = [], fields = [], arch = 'all' }: Wanted,
  kind: Manifest['kind'],
  payload: Uint8Array,
  hooks: Manifest['hooks'],
): Promise<Built> {
  const sha256 = hash('sha256', payload, 'hex')
  const file = path.join(folder, sha256)
  await fs.writeFile(file, payload)
  const manifest: Manifest = {
    schema: 1,
    name,
    version,
    kind,
    arch,
    payload: { via: 'object', sha256, size: payload.length },
    installedSize: payload.length,
    depends,
    ...relationsIn(fields),
    summary: `fixture ${name}`,
    hooks,
  }
  return { manifest, digest: hash('sha256', JSON.stringify(manifest), 'hex'), path: file }
}
