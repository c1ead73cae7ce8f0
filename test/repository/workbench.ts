// A repository in a folder of its own, and what the tests of publishing do with it over and over.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import type { SwarmPayload } from '../../src/model/manifest.ts'
import { prepareHere } from '../../src/repository/preparing/preparing.ts'
import type { Published } from '../../src/repository/published.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { type Objects, openObjects } from '../../src/world/objects.ts'
import type { Disk, Exec, Log } from '../../src/world/world.ts'

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

export const publishedAt = Date.parse('2026-03-01T12:00:00Z')

export interface Bench {
  dir: string
  home: string
  objects: Objects
  open(parts?: { disk?: Disk; exec?: Pick<Exec, 'run' | 'which'>; log?: Log }): Promise<Repository>
}

/** Everything below a folder that goes when the test ends. */
export function benchOf(t: Test): Bench {
  const dir = fs.realpathSync(t.testdir({}))
  return benchAt(dir)
}

export function benchAt(dir: string): Bench {
  const home = join(dir, 'home')
  const objects = openObjects({ disk: systemDisk, dir: join(home, 'objects') })
  return {
    dir,
    home,
    objects,
    open: ({ disk = systemDisk, exec = systemExec, log = quietLog } = {}) =>
      openRepository({
        dir: join(home, 'repository'),
        payloads: join(home, 'store'),
        objects: disk === systemDisk ? objects : openObjects({ disk, dir: join(home, 'objects') }),
        disk,
        prepare: prepareHere({ disk, exec }),
        clock: { now: () => publishedAt },
        log,
      }),
  }
}

export type TreeFile = string | Uint8Array | { content: string; mode: number } | { link: string }

/** Writes a folder: its files by path. */
export function writeTree(folder: string, files: Record<string, TreeFile>): string {
  for (const [path, file] of Object.entries(files)) {
    const at = join(folder, path)
    fs.mkdirSync(dirname(at), { recursive: true })
    if (typeof file === 'string' || file instanceof Uint8Array) fs.writeFileSync(at, file)
    else if ('link' in file) fs.symlinkSync(file.link, at)
    else {
      fs.writeFileSync(at, file.content)
      fs.chmodSync(at, file.mode)
    }
  }
  return folder
}

export const greeter = {
  'banyan.yaml': 'name: greeter\nversion: 1.0.0\nsummary: says hello\n',
  'bin/greet': { content: '#!/bin/sh\necho hello\n', mode: 0o755 },
  'share/words': 'hello\n',
} satisfies Record<string, TreeFile>

/** Text of a size that stays the same, and does not repeat itself from piece to piece. */
export function textOf(bytes: number, seed = 'text'): string {
  const lines: string[] = []
  for (let size = 0, index = 0; size < bytes; index += 1) {
    const line = `${createHash('sha256').update(`${seed} ${index}`).digest('hex')}\n`
    lines.push(line)
    size += line.length
  }
  return lines.join('').slice(0, bytes)
}

export interface DebParts {
  control?: Record<string, string>
  files?: Record<string, TreeFile>
  /** Of dpkg-deb: gzip, xz, zstd, none. */
  compression?: string
}

/** Builds a .deb with dpkg-deb. */
export function buildDeb(path: string, { control = {}, files = {}, compression = 'gzip' }: DebParts = {}): string {
  const fields = {
    Package: 'signpost',
    Version: '1.0-1',
    Architecture: 'all',
    Maintainer: 'Banyan <banyan@example.org>',
    Description: 'points the way\n A longer text.',
    ...control,
  }
  const source = fs.mkdtempSync(`${path}-`)
  fs.chmodSync(source, 0o755)
  const text = Object.entries(fields).map(([key, value]) => `${key}: ${value}\n`)
  writeTree(source, { 'usr/share/signpost/way': 'north\n', ...files, 'DEBIAN/control': text.join('') })
  fs.chmodSync(join(source, 'DEBIAN'), 0o755)
  run('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--nocheck', '--build', source, path])
  fs.rmSync(source, { recursive: true })
  return path
}

/** An ar archive, as the format has it. */
export function arOf(members: readonly [name: string, content: Uint8Array | string][]): Buffer {
  const parts = members.flatMap(([name, content]) => {
    const bytes = Buffer.from(content)
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`
    return [`${header}${String(bytes.length).padEnd(10)}\`\n`, bytes, bytes.length % 2 === 1 ? '\n' : '']
  })
  return Buffer.concat(['!<arch>\n', ...parts].map((part) => Buffer.from(part)))
}

export function run(program: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    input,
    maxBuffer: 64 * 2 ** 20,
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

export function hasProgram(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0
}

/** Skips a test where a program is missing, unless it runs in CI: there everything has to be. */
export function needs(program: string): { skip?: string } {
  return hasProgram(program) || process.env['CI'] !== undefined ? {} : { skip: `${program} is not on this machine` }
}

/** Every file and link below a folder with the digest of its content, and every folder. */
export function snapshotOf(folder: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found[path] = createHash('sha256').update(fs.readFileSync(path)).digest('hex')
    else found[path] = entry.isSymbolicLink() ? fs.readlinkSync(path) : 'folder'
  }
  return found
}

export function swarmed({ payload }: Published): SwarmPayload {
  assert(payload.via === 'swarm', 'it travels in a swarm')
  return payload
}

export async function failureOf(work: Promise<unknown>): Promise<Failure> {
  try {
    await work
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('expected a Failure')
}
