// A small Debian of this machine's release with systemd in it, made once and kept below /var/cache,
// booted as a container of its own with all that is written thrown away afterwards.

import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { systemExec } from '../../src/world/exec.ts'
import { run } from './debian-archive.ts'

const cache = '/var/cache/banyan-tests'
/**
 * What the tree has besides Debian's smallest set: what Node is linked with, and what a machine
 * boots with.
 */
const included = ['systemd', 'systemd-sysv', 'dbus', 'libatomic1', 'libstdc++6']
const project = path.join(import.meta.dirname, '../..')

/** What is missing on this machine for all of this; undefined if nothing is. */
export async function missingForTree(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'only root boots a container'
  for (const program of ['systemd-nspawn', 'mmdebstrap']) {
    if ((await systemExec.which(program)) === undefined) return `${program} is not on this machine`
  }
  return undefined
}

export async function debianTree(): Promise<string> {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
  const tree = path.join(cache, `${release}-${included.length}`)
  if (existsSync(tree)) return tree
  await mkdir(cache, { recursive: true })
  const making = await mkdtemp(path.join(cache, 'making-'))
  try {
    const sites = await run('apt-get', ['indextargets', '--format', '$(SITE)', `Codename: ${release}`])
    const site = sites.split('\n')[0] || 'http://deb.debian.org/debian'
    const made = await systemExec.run({
      program: 'mmdebstrap',
      args: ['--variant=minbase', `--include=${included.join(',')}`, release, path.join(making, 'tree'), site],
      timeoutMs: 300_000,
    })
    if (made.code !== 0) throw new Error(`mmdebstrap ended with ${made.code}: ${made.stderr.slice(-2000)}`)
    await rename(path.join(making, 'tree'), tree).catch((error) => {
      // Somebody else was quicker.
      if (!existsSync(tree)) throw error
    })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return tree
}

/**
 * Boots the tree with the project at /usr/lib/banyan, runs a bash script there and powers off.
 * Whatever the script writes below /result is in the folder that this resolves with, `log` with all
 * that it printed among it. `prepare` puts things there.
 */
export async function boot(
  tree: string,
  script: string,
  prepare: (result: string) => Promise<void> = async () => {},
): Promise<string> {
  const result = await mkdtemp(path.join(os.tmpdir(), 'banyan-boot-'))
  const unit = [
    ...['[Unit]', 'Description=test', '[Service]', 'Type=oneshot'],
    ...['StandardOutput=append:/result/log', 'StandardError=append:/result/log'],
    ...['ExecStart=/bin/bash /result/script', 'ExecStopPost=/bin/systemctl --no-block poweroff'],
  ]
  await writeFile(path.join(result, 'script'), script)
  await prepare(result)
  await writeFile(path.join(result, 'test.service'), `${unit.join('\n')}\n`)
  const units = '/etc/systemd/system'
  const node = path.join(project, 'packaging/systemd/banyan.service')
  const binds = [
    `--bind=${result}:/result`,
    `--bind-ro=${project}:/usr/lib/banyan`,
    `--bind-ro=${path.join(result, 'test.service')}:${units}/test.service`,
    `--bind-ro=${node}:${units}/banyan.service`,
  ]
  const booted = await systemExec.run({
    program: 'systemd-nspawn',
    args: [
      ...['-q', '-D', tree, '--volatile=overlay', '--boot', '--register=no', '--keep-unit', '--private-network'],
      ...[`--machine=banyan-${path.basename(result).slice(-6).toLowerCase()}`, ...binds],
      // As on the kernel's command line, which a container has none of.
      'systemd.wants=test.service',
    ],
    timeoutMs: 300_000,
  })
  if (booted.timedOut) throw new Error(`it did not power off: ${booted.stdout.slice(-2000)}`)
  return result
}

/**
 * For the beginning of a script: `banyan`; `is NAME COMMAND...`, which waits until the command
 * succeeds, so many tenths of a second, and notes how it went; `note NAME COMMAND...`, which keeps
 * what a command prints.
 */
export function words(tries: number): string {
  return `export BANYAN_HOME=/var/lib/banyan PATH=/usr/lib/banyan/node_modules/.bin:$PATH LANG=C.UTF-8
banyan() { node /usr/lib/banyan/src/cli/banyan.js "$@"; }
is() {
  local name=$1; shift
  for _ in $(seq ${tries}); do if "$@" >/dev/null 2>&1; then echo yes >/result/$name; return; fi; read -rt 0.1 <> <(:) || :; done
  echo "no: $*" >/result/$name
}
note() { local name=$1; shift; "$@" >/result/$name 2>&1 || echo "ended with $?" >>/result/$name; }`
}

/** What a script has noted under a name. */
export function notedIn(result: string): (name: string) => string {
  return (name) => {
    const file = path.join(result, name)
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : `${name} was not written`
  }
}
