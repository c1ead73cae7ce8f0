// A tree of real daemons for one test file, and the questions that its tests ask. All of it ends
// with the test.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Test } from 'tap'
import { openTree, type Tree } from '../../src/cli/demo/tree.ts'
import { parserOf } from '../../src/model/parse.ts'
import { type Attack, type Report, reportSchema } from '../../src/model/report.ts'
import { requestLocal } from '../../src/world/local.ts'
import { until } from './until.ts'

const parseReport = parserOf(reportSchema)

export interface RealTree extends Tree {
  /** Runs a command on a node's home and throws unless it ends with 0; resolves with its output. */
  must(name: string, ...args: string[]): Promise<string>
  /** Makes a folder package of these files. */
  publish(name: string, version: string, files: Record<string, string | Uint8Array>): Promise<void>
  /** Releases this policy on the root. */
  release(policy: string, ...options: '--allow-removals'[]): Promise<void>
  /** The newest report of `about` that `at` knows; throws while there is none. */
  report(about: string, at?: string): Promise<Report>
  /** Waits for a report of the node, as it knows itself, that fits. */
  reports(name: string, what: string, fits: (report: Report) => boolean, withinMs?: number): Promise<Report>
  /** Waits until the node says that it was attacked like this. */
  attacked(name: string, kind: Attack['kind'], detail?: RegExp): Promise<Attack>
  /** Waits for a line in the log of a daemon. */
  logged(name: string, line: RegExp): Promise<string>
  log(name: string): string[]
  /** What is installed there. */
  machine(name: string): Record<string, string>
  /** What it trusts and what is installed there. */
  wholeState(name: string): Record<string, string>
}

/** Made with its root, whose name is `root`. */
export async function realTree(t: Test, rootSettings: Record<string, unknown> = {}): Promise<RealTree> {
  const tree = await openTree()
  // A runner that gives up on this file takes it down without a word to its teardowns.
  const lastResort = () => {
    for (const { process: daemon } of tree.nodes.values()) daemon?.kill('SIGKILL')
  }
  process.on('exit', lastResort)
  const log = (name: string) => {
    const file = path.join(tree.folder, `${name}.log`)
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  }
  t.teardown(async () => {
    if (!t.passing()) {
      for (const name of tree.nodes.keys()) t.comment(`last lines of ${name}:`, log(name).slice(-25).join('\n'))
    }
    await tree.fell()
    process.off('exit', lastResort)
  })
  const home = (name: string) => tree.nodes.get(name)?.home ?? path.join(tree.folder, name, 'home')

  /** What the commands of `banyan` do, without the half second that a process takes to start. */
  const toRoot = (url: string, body: unknown) =>
    requestLocal({ path: path.join(home('root'), 'run', 'control.sock'), method: 'POST', url, body, onLine: () => {} })

  await tree.plant({ name: 'root', site: 'headquarters', parent: null, settings: rootSettings })

  const real: RealTree = {
    ...tree,
    log,
    async must(name, ...args) {
      const { code, stdout, stderr } = await tree.banyan([...args, '--home', home(name)])
      if (code !== 0) throw new Error(`banyan ${args.join(' ')} ended with ${code}: ${stderr}`)
      return stdout.trim()
    },
    async publish(name, version, files) {
      const folder = path.join(tree.folder, 'sources', `${name}-${version}`)
      for (const [file, content] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(folder, file)), { recursive: true })
        await writeFile(path.join(folder, file), content)
      }
      await toRoot('/publish', { path: folder, name, version })
    },
    async release(policy, ...options) {
      await writeFile(path.join(home('root'), 'policy.yaml'), policy)
      await toRoot('/release', { message: '', allowRemovals: options.includes('--allow-removals') })
    },
    async report(about, at = about) {
      const { report } = (await tree.ask(at, `/nodes/${about}`)) as { report: unknown }
      return parseReport(report, `report of ${about}`)
    },
    reports: (name, what, fits, withinMs) =>
      until(
        `${name}: ${what}`,
        async () => {
          const report = await real.report(name)
          if (fits(report)) return report
          throw new Error(JSON.stringify({ ...report, facts: undefined }))
        },
        withinMs,
      ),
    async attacked(name, kind, detail = /./) {
      const isIt = (attack: Attack) => attack.kind === kind && detail.test(attack.detail)
      const report = await real.reports(name, `reports ${kind} ${detail}`, (report) => report.attacks.some(isIt))
      return report.attacks.find(isIt) as Attack
    },
    logged: (name, line) => until(`${name} logs ${line}`, () => log(name).find((text) => line.test(text))),
    machine: (name) => listingOf(tree.nodes.get(name)?.targetRoot ?? ''),
    wholeState: (name) => ({ ...listingOf(path.join(home(name), 'tuf')), ...real.machine(name) }),
  }
  return real
}

/** Every path below a folder with its kind, and for a file its size, mode and digest. */
export function listingOf(
  folder: string,
  isLeftOut: (relative: string) => boolean = () => false,
): Record<string, string> {
  const listing: Record<string, string> = {}
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    const relative = path.relative(folder, file)
    if (isLeftOut(relative)) continue
    if (!entry.isFile()) {
      listing[relative] = entry.isSymbolicLink()
        ? `link to ${readlinkSync(file)}`
        : entry.isDirectory()
          ? 'folder'
          : 'other'
      continue
    }
    const { size, mode } = statSync(file)
    const digest = createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16)
    listing[relative] = `${size} bytes, mode ${(mode & 0o7777).toString(8)}, ${digest}`
  }
  return listing
}

/** Adds to a node's settings file. */
export async function addSettings(home: string, settings: Record<string, unknown>): Promise<void> {
  const file = path.join(home, 'node.yaml')
  const kept = (await readFile(file, 'utf8')).split('\n').filter((line) => !((line.split(':', 1)[0] ?? '') in settings))
  const added = Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
  await writeFile(file, [...kept, ...added, ''].join('\n'), { mode: 0o600 })
}
