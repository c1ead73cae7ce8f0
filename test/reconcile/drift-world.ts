// A machine with one package whose files change, of each kind that has a package manager.

import path from 'node:path'
import type { Test } from 'tap'
import { debProvider } from '../../src/reconcile/providers/deb/deb.ts'
import { debWaits } from '../../src/reconcile/providers/deb/deb-tools.ts'
import type { Provider } from '../../src/reconcile/providers/provider.ts'
import { rpmProvider } from '../../src/reconcile/providers/rpm/rpm.ts'
import { rpmWaits } from '../../src/reconcile/providers/rpm/rpm-tools.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import type { Exec, Run, RunResult } from '../../src/world/world.ts'
import { type Built, buildDeb, buildRpm, stepOf, type Wanted } from './packages.ts'
import { makeRpmMachine } from './rpm-machine.ts'

export interface DriftWorld {
  provider: Provider
  root: string
  home: string
  /** The programs that were run, with their arguments. */
  calls: string[]
  /** What a program says in place of the real one. */
  stand: { in?: (run: Run, real: () => Promise<RunResult>) => Promise<RunResult> }
  /** Where a script of a package reaches a file of the machine. */
  inside(file: string): string
  build(wanted: Wanted): Promise<Built>
}

export async function look(world: DriftWorld, more: { ignored?: Map<string, string[]> } = {}) {
  return await world.provider.inspect(['shop'], { owned: new Set(['shop']), depth: 'quick', ...more })
}

export async function ensure(world: DriftWorld, built: Built) {
  return await world.provider.ensure([stepOf('install', built)], contextOf(world))
}

export async function heal(world: DriftWorld, built: Built, ignore: string[] = []) {
  const [seen] = await look(world, { ignored: new Map([['shop', ignore]]) })
  const step = stepOf('reinstall', built, { from: '1.0-1', cause: 'drift', found: seen?.found ?? '' })
  return await world.provider.ensure([{ ...step, action: { ...step.action, ignore } }], contextOf(world))
}

function contextOf({ home }: DriftWorld) {
  return { workFolder: path.join(home, 'work'), journal: async () => {}, output: () => {} }
}

function notingExec(calls: string[], stand: DriftWorld['stand']): Pick<Exec, 'run' | 'which'> {
  return {
    which: systemExec.which,
    async run(run) {
      calls.push([run.program, ...run.args].join(' '))
      const real = () => systemExec.run(run)
      return await (stand.in?.(run, real) ?? real())
    },
  }
}

export async function debWorld(t: Test): Promise<DriftWorld> {
  const folder = t.testdir({ root: {}, store: {}, home: { work: {} } })
  const [root, home, calls] = [`${folder}/root`, `${folder}/home`, [] as string[]]
  const stand: DriftWorld['stand'] = {}
  const provider = debProvider({
    targetRoot: root,
    home,
    exec: notingExec(calls, stand),
    disk: systemDisk,
    waits: debWaits,
  })
  return {
    provider,
    root,
    home,
    calls,
    stand,
    inside: (file) => root + file,
    build: (wanted) => buildDeb(`${folder}/store`, wanted),
  }
}

/** `machines`: the folder of the machine that all of them are copies of. */
export async function rpmWorld(t: Test, machines: string): Promise<DriftWorld> {
  const folder = t.testdir({ root: {}, store: {}, home: { work: {} } })
  const [root, home, calls] = [`${folder}/root`, `${folder}/home`, [] as string[]]
  const stand: DriftWorld['stand'] = {}
  await makeRpmMachine(root, machines)
  const exec = notingExec(calls, stand)
  const provider = rpmProvider({ targetRoot: root, home, exec, disk: systemDisk, waits: rpmWaits, frontEnd: 'rpm' })
  return {
    provider,
    root,
    home,
    calls,
    stand,
    inside: (file) => file,
    build: (wanted) => buildRpm(`${folder}/store`, wanted),
  }
}
