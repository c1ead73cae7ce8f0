// The facts of this machine. `systeminformation` runs in a process of its own, so that the daemon
// stays small.

import { readFile } from 'node:fs/promises'
import * as os from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as v from 'valibot'
import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { packagesFact } from '../model/packages/target.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import type { Exec, FactSource, Facts, Log } from './world.ts'

const parseFacts = parserOf(v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])))

/** Debian's names for the architectures in `process.arch`. */
const debianArch: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'armhf',
  ia32: 'i386',
  riscv64: 'riscv64',
  ppc64: 'ppc64el',
  s390x: 's390x',
}

/** Unknown facts are left out; `arch` and `hostname` are always there. */
export function openFacts({ exec, log }: { exec: Pick<Exec, 'run'>; log: Log }): FactSource {
  return {
    async collect() {
      const basic = await basicFacts()
      try {
        const main = new URL(`facts-main${extname(import.meta.url)}`, import.meta.url)
        const { code, stdout, stderr } = await exec.run({
          program: process.execPath,
          args: [fileURLToPath(main)],
          timeoutMs: limits.factsTimeoutMs,
        })
        if (code === 0) return { ...parseFacts(parseJson(stdout, 'facts'), 'facts'), ...basic }
        log.warn('facts are incomplete', { code, error: stderr })
      } catch (error) {
        log.warn('facts are incomplete', { error: messageOf(error) })
      }
      return basic
    },
  }
}

/** The facts from Node and /etc/os-release. */
async function basicFacts(): Promise<Facts> {
  const release = osRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''))
  const facts: Record<string, string | number | undefined> = {
    arch: debianArch[process.arch] ?? process.arch,
    hostname: hostnameFrom(await readFile('/etc/hostname', 'utf8').catch(() => ''), os.hostname()),
    'os.distro': release['ID'],
    'os.release': release['VERSION_ID'],
    'os.codename': release['VERSION_CODENAME'],
    'os.name': release['PRETTY_NAME'],
    'os.kernel': os.release(),
    [packagesFact]: packagesOf(release),
    'cpu.cores': os.availableParallelism(),
    'memory.bytes': os.totalmem(),
  }
  return Object.fromEntries(Object.entries(facts).filter((entry): entry is [string, string | number] => !!entry[1]))
}

/**
 * The name that this machine's administrator has set, by hostname(5), and the kernel's name where
 * there is none. A DHCP server can change the kernel's name, and policies select nodes by this fact.
 */
export function hostnameFrom(etcHostname: string, kernelName: string): string {
  const lines = etcHostname.split('\n').map((line) => line.trim())
  return lines.find((line) => line !== '' && !line.startsWith('#')) ?? kernelName
}

/** Which package manager the distribution has; undefined if it is none of the known. */
function packagesOf(release: Readonly<Record<string, string>>): 'deb' | 'rpm' | undefined {
  const likes = `${release['ID'] ?? ''} ${release['ID_LIKE'] ?? ''}`.split(' ')
  if (likes.some((like) => ['debian', 'ubuntu'].includes(like))) return 'deb'
  const isRpm = (like: string) => /^(fedora|rhel|centos|suse|sles|opensuse.*|amzn|mageia|openEuler|photon)$/.test(like)
  return likes.some(isRpm) ? 'rpm' : undefined
}

/** os-release(5): shell-like assignments. */
function osRelease(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const [, key, value] = /^([A-Z_]+)=["']?(.*?)["']?$/.exec(line.trim()) ?? []
    if (key !== undefined && value !== undefined) found[key] = value
  }
  return found
}
