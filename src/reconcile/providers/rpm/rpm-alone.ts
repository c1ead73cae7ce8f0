// rpm itself as a front end. It cannot install and remove in one transaction, so it is called
// twice. What a new package calls obsolete goes in the first call: rpm removes it by itself.

import type { RunResult } from '../../../world/world.ts'
import { type RpmCall, type RpmFrontEnd, runPatiently } from './rpm-front-end.ts'
import { leftOutBy, readRpmSettings } from './rpm-settings.ts'
import type { RpmTools } from './rpm-tools.ts'

/** rpm without dnf or zypper before it. */
export function rpmAlone(tools: RpmTools): RpmFrontEnd {
  return { name: 'rpm', run: (call, _work, onWait) => runPatiently(tools, () => runParts(tools, call), onWait) }
}

/**
 * What rpm would say to an installation, or to a removal if there is nothing to install. Changes
 * nothing.
 */
export async function testRpm({ ask }: RpmTools, call: RpmCall, options: readonly string[] = []): Promise<RunResult> {
  if (call.files.length + call.beside.length === 0) return await ask(['-e', '--test', ...options, ...call.removes])
  const mode = call.files.length > 0 ? '-U' : '-i'
  return await ask([mode, '--test', ...options, ...installWords(call), ...call.files, ...call.beside])
}

/**
 * Runs the parts of a call one after the other. The next is always one that rpm would carry out
 * now: what goes may still be needed or be in the way, and what comes may need another part. If
 * what goes is in the way, it goes first although others need it: the caller has seen that what
 * comes is enough for them. Nothing more is done once a part has failed.
 */
async function runParts(tools: RpmTools, call: RpmCall): Promise<RunResult> {
  const none = { files: [], beside: [], removes: [] }
  const open = [
    { ...call, ...none, files: call.files },
    { ...call, ...none, beside: call.beside },
    { ...call, ...none, removes: call.removes },
  ].filter(({ files, beside, removes }) => files.length + beside.length + removes.length > 0)
  const leftOut = leftOutBy(await readRpmSettings(tools))
  let done: RunResult = { code: 0, signal: null, timedOut: false, stdout: '', stderr: '' }
  while (open.length > 0) {
    const part = open.splice(await firstPossible(tools, open), 1)[0] as RpmCall
    const removes = part.removes.length === 0 ? [] : await thereOf(tools, part.removes)
    if (part.files.length + part.beside.length + removes.length === 0) continue
    const words = wordsOf({ ...part, removes }, { isInTheWay: open.length > 0, leftOut })
    const result = await tools.rpm(words, tools.waits.transactionMs)
    done = {
      ...result,
      code: done.code || result.code,
      stdout: done.stdout + result.stdout,
      stderr: done.stderr + result.stderr,
    }
    if (result.timedOut || result.code !== 0) break
  }
  return done
}

/** Of these packages, those that are installed. Words are names, or whole `name-version-release.arch`. */
async function thereOf({ ask }: RpmTools, words: readonly string[]): Promise<string[]> {
  const format = '%{NAME} %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH} %{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\\n'
  const { stdout } = await ask(['-q', '--qf', format, '--', ...words])
  const there = new Set(stdout.split(/\s+/))
  return words.filter((word) => there.has(word))
}

/** The last part, which removes, if rpm would carry out none of them. */
async function firstPossible(tools: RpmTools, parts: readonly RpmCall[]): Promise<number> {
  for (const [place, part] of parts.slice(0, -1).entries()) {
    if ((await testRpm(tools, part)).code === 0) return place
  }
  return parts.length - 1
}

function wordsOf(
  part: RpmCall,
  { isInTheWay, leftOut }: { isInTheWay: boolean; leftOut: readonly string[] },
): string[] {
  if (part.files.length > 0) return ['-Uv', ...leftOut, ...installWords(part), ...part.files]
  if (part.beside.length > 0) return ['-iv', ...leftOut, ...installWords(part), ...part.beside]
  const ofScripts = leftOut.filter((option) => ['--noscripts', '--notriggers'].includes(option))
  return ['-ev', ...ofScripts, ...(isInTheWay ? ['--nodeps'] : []), ...part.removes]
}

function installWords({ beside, downgrades, reinstalls }: RpmCall): string[] {
  return [
    // The signatures of the revision decide what is installed, not those of package files.
    '--nosignature',
    // Newer versions may stand beside.
    ...(downgrades || beside.length > 0 ? ['--oldpackage'] : []),
    ...(reinstalls ? ['--replacepkgs'] : []),
  ]
}
