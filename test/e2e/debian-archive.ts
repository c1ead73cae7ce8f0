// Real Debian packages for a test, from the archive that this machine is set up to use, in a folder
// of the test's own.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { compareVersions } from '../../src/model/versions.ts'
import { systemExec } from '../../src/world/exec.ts'

export interface Deb {
  name: string
  version: string
  file: string
}

export interface Chain {
  /** A package of the archive and all that it depends on, libc6 too, by name. */
  newest: ReadonlyMap<string, Deb>
  /** Of the packages that come in one version together, the version before. */
  older: ReadonlyMap<string, Deb>
  /**
   * repacked: the archive has one version only, so the older one is the same under a lower version.
   */
  olderIs: 'of the archive' | 'repacked'
}

/** What is missing on this machine for all of this; undefined if nothing is. */
export async function missingForDebian(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'dpkg installs for root only'
  const found = await systemExec.run({ program: 'sh', args: ['-c', 'command -v apt-get dpkg-deb'], timeoutMs: 10_000 })
  if (found.code !== 0) return 'apt is not on this machine'
  const sources = await systemExec.run({ program: 'apt-get', args: ['indextargets'], timeoutMs: 20_000 })
  return sources.code === 0 && sources.stdout !== '' ? undefined : 'apt knows no archive on this machine'
}

/**
 * Fetches a package with everything below it, and an older version of those named in `together`,
 * which depend on each other's exact version. apt's lists are fetched anew and apart from the
 * machine's own, which may be old or not there; apt checks the archive's signatures as it always
 * does.
 */
export async function fetchChain(folder: string, name: string, together: readonly string[]): Promise<Chain> {
  const apt = await openApt(folder)
  const names = await apt.closureOf(name)
  const versions = await apt.versionsOf(together)
  const [newestVersion, olderVersion] = versions
  if (newestVersion === undefined) throw new Error(`the archive has no version of ${together.join(', ')} alike`)
  const others = names.filter((each) => !together.includes(each))
  const newest = await apt.download([...others, ...together.map((each) => `${each}=${newestVersion}`)])
  if (olderVersion !== undefined) {
    const older = await apt.download(together.map((each) => `${each}=${olderVersion}`))
    return { newest, older, olderIs: 'of the archive' }
  }
  const repacked = [...newest.values()].filter((deb) => together.includes(deb.name))
  const older = await Promise.all(repacked.map((deb) => repack(folder, deb, newestVersion)))
  return { newest, older: byName(older), olderIs: 'repacked' }
}

/** `program ARGS` in plain English; throws what it said unless it ends with 0. */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const env = { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
  const limits = { timeoutMs: 120_000, outputMaxBytes: 4 * 1024 * 1024 }
  const result = await systemExec.run({ program, args, env, ...limits, ...(cwd !== undefined && { cwd }) })
  if (result.code === 0) return result.stdout
  throw new Error(`${program} ${args.slice(-3).join(' ')} ended with ${result.code}: ${result.stderr.slice(-2000)}`)
}

async function openApt(folder: string) {
  const own = path.join(folder, 'apt')
  for (const name of ['lists/partial', 'cache/archives/partial']) await mkdir(path.join(own, name), { recursive: true })
  // What is installed on this machine is not in the archive, and must not be chosen.
  await writeFile(path.join(own, 'status'), '')
  const settings = [
    `Dir::State::lists=${own}/lists`,
    `Dir::State::status=${own}/status`,
    `Dir::Cache=${own}/cache`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    'Acquire::Retries=3',
  ].flatMap((setting) => ['-o', setting])
  const arch = (await run('dpkg', ['--print-architecture'])).trim()
  await run('apt-get', [...settings, '-qq', 'update'])

  return {
    async closureOf(name: string): Promise<string[]> {
      const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
        (kind) => `--no-${kind}`,
      )
      const text = await run('apt-cache', [...settings, 'depends', '--recurse', ...kinds, name])
      // Below each name, indented, is what it depends on; `<name>` is no package, and `name:arch`
      // of a foreign one.
      return text.split('\n').filter((line) => /^[a-z0-9][a-z0-9.+-]+$/.test(line))
    },

    /** Those that all of them have, newest first. */
    async versionsOf(names: readonly string[]): Promise<string[]> {
      const text = await run('apt-cache', [...settings, 'madison', ...names])
      const versions = new Map(names.map((name) => [name, new Set<string>()]))
      for (const line of text.split('\n')) {
        const [name, version, source] = line.split('|').map((part) => part.trim())
        if (version !== undefined && source?.endsWith(` ${arch} Packages`)) versions.get(name ?? '')?.add(version)
      }
      const [first = new Set<string>(), ...rest] = versions.values()
      return [...first]
        .filter((version) => rest.every((others) => others.has(version)))
        .sort((a, b) => compareVersions('deb', b, a))
    },

    /** Of names, or `name=version`. */
    async download(words: readonly string[]): Promise<Map<string, Deb>> {
      const into = path.join(
        folder,
        words
          .join('+')
          .slice(-40)
          .replace(/[^a-z0-9]/g, '-'),
      )
      await mkdir(into)
      await run('apt-get', [...settings, '-qq', 'download', ...words], into)
      const files = (await readdir(into)).filter((file) => file.endsWith('.deb'))
      return byName(await Promise.all(files.map((file) => debOf(path.join(into, file)))))
    },
  }
}

/**
 * The same files under a version just below its own; what names that version in its dependencies
 * goes along.
 */
async function repack(folder: string, { name, file }: Deb, version: string): Promise<Deb> {
  const source = path.join(folder, `repacked-${name}`)
  await run('dpkg-deb', ['-R', file, source])
  const control = path.join(source, 'DEBIAN/control')
  await writeFile(control, (await readFile(control, 'utf8')).replaceAll(version, `${version}~repacked`))
  const repacked = path.join(folder, `${name}-repacked.deb`)
  await run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-b', source, repacked])
  return debOf(repacked)
}

async function debOf(file: string): Promise<Deb> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-deb fills these in.
  const [name = '', version = ''] = (await run('dpkg-deb', ['-W', '--showformat=${Package} ${Version}', file])).split(
    ' ',
  )
  return { name, version, file }
}

function byName(debs: readonly Deb[]): Map<string, Deb> {
  return new Map(debs.map((deb) => [deb.name, deb]))
}
