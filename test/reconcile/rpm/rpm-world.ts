// A machine with real rpm packages for tests of the rpm provider, changed by rpm, dnf or zypper.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { Test, default as t } from 'tap'
import type { ApplyContext, InspectOptions, Step } from '../../../src/reconcile/providers/provider.ts'
import { rpmProvider } from '../../../src/reconcile/providers/rpm/rpm.ts'
import type { RpmFrontEndName } from '../../../src/reconcile/providers/rpm/rpm-front-end.ts'
import { rpmWaits } from '../../../src/reconcile/providers/rpm/rpm-tools.ts'
import { systemDisk } from '../../../src/world/disk.ts'
import { systemExec } from '../../../src/world/exec.ts'
import type { Exec } from '../../../src/world/world.ts'
import { isLarge } from '../../large.ts'
import { hasProgram } from '../../repository/workbench.ts'
import { buildRpm, stepOf, type Wanted } from '../packages.ts'
import { makeRpmMachine } from '../rpm-machine.ts'

const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'

export type RpmWorld = Awaited<ReturnType<typeof rpmWorld>>
type Body = (t: Test, world: RpmWorld) => Promise<void>

/** Promises about rpm packages. The machines of one test file are copies of one that it makes. */
export function rpmWorlds(top: typeof t) {
  const shared = top.testdir({})

  function withEach(frontEnds: readonly RpmFrontEndName[], sentence: string, body: Body): void {
    for (const frontEnd of frontEnds) {
      const skip = isCi || hasProgram(frontEnd) ? false : `${frontEnd} is not on this machine`
      top.test(`${sentence} (${frontEnd})`, { skip }, async (t) => {
        t.setTimeout(1_200_000)
        await body(t, await rpmWorld(t, frontEnd, shared))
      })
    }
  }

  return {
    open: (t: Test, frontEnd: RpmFrontEndName) => rpmWorld(t, frontEnd, shared),
    /** The same promise with each of the three that can carry it out; in the small form with rpm. */
    each: (sentence: string, body: Body) => withEach(isLarge ? ['rpm', 'dnf', 'zypper'] : ['rpm'], sentence, body),
    /** A promise whose small form has all three too: what dnf and zypper say is not what rpm says. */
    always: (sentence: string, body: Body) => withEach(['rpm', 'dnf', 'zypper'], sentence, body),
    one: (frontEnd: RpmFrontEndName, sentence: string, body: Body) => withEach([frontEnd], sentence, body),
  }
}

async function rpmWorld(t: Test, frontEnd: RpmFrontEndName, shared: string) {
  const folder = t.testdir({ root: {}, store: {}, work: {} })
  const root = `${folder}/root`
  await makeRpmMachine(root, shared)
  const journal: string[] = []
  /** What stands in for a program; the real one runs if it returns undefined. */
  const stand: { in?: (...asked: Parameters<Exec['run']>) => ReturnType<Exec['run']> | undefined } = {}
  const exec = {
    ...systemExec,
    run: (...asked: Parameters<Exec['run']>) => stand.in?.(...asked) ?? systemExec.run(...asked),
  }
  const provider = rpmProvider({ targetRoot: root, exec, disk: systemDisk, waits: rpmWaits, frontEnd })
  const contextSaying = (output: (text: string) => void): ApplyContext => ({
    workFolder: `${folder}/work`,
    journal: async (step) => void journal.push(step),
    output,
  })
  const rpm = (wanted: Wanted) => buildRpm(`${folder}/store`, wanted)
  return {
    root,
    frontEnd,
    journal,
    stand,
    provider,
    contextSaying,
    rpm,
    /** Writes a file of the machine. */
    async write(file: string, text: string) {
      await fs.mkdir(path.dirname(root + file), { recursive: true })
      await fs.writeFile(root + file, text)
    },
    install: async (wanted: Wanted, what: 'install' | 'upgrade' = 'install') => stepOf(what, await rpm(wanted)),
    removal: (name: string): Step => ({
      action: {
        name,
        kind: 'rpm',
        what: 'remove',
        cause: 'pending',
        from: '1-1',
        to: null,
        found: '',
        source: null,
        previous: null,
      },
      manifest: null,
    }),
    ensure: (...steps: Step[]) =>
      provider.ensure(
        steps,
        contextSaying(() => {}),
      ),
    ensureSaying: (output: (text: string) => void, ...steps: Step[]) => provider.ensure(steps, contextSaying(output)),
    look: async (name: string, depth: InspectOptions['depth'] = 'quick') =>
      (await provider.inspect([name], { owned: new Set([name]), depth }))[0],
  }
}
