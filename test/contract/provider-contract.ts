// What every provider promises, on a real file system below a target root of its own.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { Test } from 'tap'
import type { Actual } from '../../src/reconcile/actual.ts'
import type { ApplyContext, InspectOptions, Provider, Step } from '../../src/reconcile/providers/provider.ts'
import { type Built, stepOf, type Wanted } from '../reconcile/packages.ts'

export interface ProviderWorld {
  provider: Provider
  targetRoot: string
  build(wanted: Wanted): Promise<Built>
  /** Where the files of an installed package lie. */
  filesOf(name: string): string
  /** The path by which a package's scripts reach a file below the target root. */
  insidePath(file: string): string
  /**
   * What the package manager notes for itself and changes at every call, and what a machine has
   * before.
   */
  isNote(path: string): boolean
  context: ApplyContext & { steps: string[] }
}

/** What not every kind can do. */
export interface ProviderFeatures {
  /**
   * A clause that asks for at least a version of another package. Absent for kinds without
   * dependencies.
   */
  needing?: (name: string, version: string) => string
  /** Whether the package manager records modes, so that a changed mode is found. */
  knowsModes: boolean
  /** This promise alone, where all of them are kept by what is below. */
  only?: string
}

const version1: Wanted = { name: 'shop', version: '1.0-1', files: { 'bin/shop': '#!/bin/sh\necho 1\n', 'lib/a': 'a' } }
const version2: Wanted = { name: 'shop', version: '2.0-1', files: { 'bin/shop': '#!/bin/sh\necho 2\n', 'lib/b': 'b' } }

/** `patience: 'short'` is for scripts that hang: they are to be ended soon. */
export function providerContract(
  t: Test,
  open: (t: Test, patience: 'short' | 'usual') => Promise<ProviderWorld>,
  { needing, knowsModes, only }: ProviderFeatures,
): void {
  const check = (
    sentence: string,
    body: (t: Test, world: ProviderWorld) => Promise<void>,
    patience: 'short' | 'usual' = 'usual',
  ) => {
    if (only === undefined || only === sentence) t.test(sentence, async (t) => body(t, await open(t, patience)))
  }

  check('what is not installed is not seen', async (t, { provider }) => {
    t.same(await provider.inspect(['shop', 'nothing'], quick), [])
  })

  check('an installation is there with its version and its files', async (t, world) => {
    const built = await world.build(version1)
    t.match(await run(world, stepOf('install', built)), { outcome: 'changed', version: '1.0-1', before: null })
    t.match(await seen(world), { name: 'shop', version: '1.0-1', state: 'whole', found: '', held: false })
    t.equal(await read(world, 'VERSION'), '1.0-1\n')
    t.equal((await fs.stat(path.join(world.filesOf('shop'), 'bin/shop'))).mode & 0o111, 0o111)
  })

  check('asking twice is asking once', async (t, world) => {
    const [one, two] = [await world.build(version1), await world.build(version2)]
    const steps = [
      stepOf('install', one),
      stepOf('upgrade', two, { from: '1.0-1', previous: one }),
      stepOf('downgrade', one, { from: '2.0-1', previous: two }),
      stepOf('remove', one),
    ]
    for (const step of steps) {
      t.equal((await run(world, step)).outcome, 'changed', `${step.action.what} changes`)
      const after = await snapshot(world)
      const again = await run(world, step)
      t.match(again, { outcome: 'kept', version: step.action.to }, `${step.action.what} keeps`)
      t.same(await snapshot(world), after)
    }
  })

  check('an upgrade and a downgrade leave only the files of the version wanted', async (t, world) => {
    const [one, two] = [await world.build(version1), await world.build(version2)]
    await run(world, stepOf('install', one))
    t.match(await run(world, stepOf('upgrade', two, { from: '1.0-1' })), {
      outcome: 'changed',
      version: '2.0-1',
      before: '1.0-1',
    })
    t.same(await filesIn(world), ['VERSION', 'bin/shop', 'lib/b'])
    t.match(await run(world, stepOf('downgrade', one, { from: '2.0-1' })), {
      outcome: 'changed',
      version: '1.0-1',
      before: '2.0-1',
    })
    t.same(await filesIn(world), ['VERSION', 'bin/shop', 'lib/a'])
    t.equal(await read(world, 'VERSION'), '1.0-1\n')
  })

  check('a removal takes everything that was put there and nothing else', async (t, world) => {
    const built = await world.build(version1)
    await run(world, stepOf('install', await world.build({ name: 'other', version: '1-1' })))
    const before = await snapshot(world)
    await run(world, stepOf('install', built))
    const mine = path.join(world.filesOf('shop'), 'lib', 'written-by-the-program')
    await fs.writeFile(mine, 'precious')
    const real = await fs.realpath(mine)
    t.match(await run(world, stepOf('remove', built)), { outcome: 'changed', version: null, before: '1.0-1' })
    t.equal(await fs.readFile(real, 'utf8'), 'precious')
    await fs.rm(real)
    const isFile = (file: string) => !file.endsWith('/')
    t.same((await filesBelow(world.targetRoot, world)).filter(isFile), Object.keys(before).filter(isFile).sort())
    t.same(await world.provider.inspect(['shop'], quick), [])
  })

  check('other content of the same version takes the place of the first', async (t, world) => {
    const [one, other] = [await world.build(version1), await world.build({ ...version1, files: { 'lib/c': 'c' } })]
    await run(world, stepOf('install', one))
    const step = stepOf('reinstall', other, { from: '1.0-1', previous: one })
    t.match(await run(world, step), { outcome: 'changed', version: '1.0-1', before: '1.0-1' })
    t.same(await filesIn(world), ['VERSION', 'lib/c'])
  })

  check('drift is found and healed', async (t, world) => {
    const built = await world.build(version1)
    await run(world, stepOf('install', built))
    await fs.writeFile(path.join(world.filesOf('shop'), 'bin/shop'), 'tampered')
    await fs.rm(path.join(world.filesOf('shop'), 'lib/a'))
    await fs.writeFile(path.join(world.filesOf('shop'), 'bin/own'), 'own')
    const drifted = await seen(world)
    t.match(drifted, { state: 'drifted', version: '1.0-1', found: /changed .*bin\/shop/ })
    t.match(drifted?.found, /missing .*lib\/a/)
    const step = stepOf('reinstall', built, { from: '1.0-1', cause: 'drift', found: drifted?.found ?? '' })
    t.match(await run(world, step), { outcome: 'changed', version: '1.0-1', difference: 'drift', detail: /bin\/shop/ })
    t.match(await seen(world), { state: 'whole' })
    t.equal(await read(world, 'bin/shop'), '#!/bin/sh\necho 1\n')
    t.equal(await read(world, 'lib/a'), 'a')
    t.equal(await read(world, 'bin/own'), 'own')
    t.match(await run(world, step), { outcome: 'kept' })
  })

  if (knowsModes) {
    check('a foreign mode is drift, and healed', async (t, world) => {
      const built = await world.build(version1)
      await run(world, stepOf('install', built))
      const file = path.join(world.filesOf('shop'), 'bin/shop')
      await fs.chmod(file, 0o4777)
      const drifted = await seen(world)
      t.match(drifted, { state: 'drifted', version: '1.0-1', found: /bin\/shop/ })
      const step = stepOf('reinstall', built, { from: '1.0-1', cause: 'drift', found: drifted?.found ?? '' })
      t.match(await run(world, step), { outcome: 'changed', difference: 'drift' })
      t.equal((await fs.stat(file)).mode & 0o7777, 0o755)
    })
  }

  if (needing !== undefined) {
    check('packages that need each other stand or fall together, and others go on', async (t, world) => {
      const base = (version: string, scripts = {}) => world.build({ name: 'base', version, scripts })
      const shop = (version: string) => world.build({ name: 'shop', version, depends: [needing('base', version)] })
      const [base1, shop1, base2, shop2] = [
        await base('1.0-1'),
        await shop('1.0-1'),
        await base('2.0-1', { postInstall: 'exit 7' }),
        await shop('2.0-1'),
      ]
      const context = world.context
      const both = await world.provider.ensure([stepOf('install', shop1), stepOf('install', base1)], context)
      t.match(both, [
        { name: 'shop', outcome: 'changed', version: '1.0-1' },
        { name: 'base', outcome: 'changed', version: '1.0-1' },
      ])
      const other = await world.build({ name: 'other', version: '1-1' })
      const outcomes = await world.provider.ensure(
        [
          stepOf('upgrade', base2, { from: '1.0-1', previous: base1 }),
          stepOf('upgrade', shop2, { from: '1.0-1', previous: shop1 }),
          stepOf('install', other),
        ],
        context,
      )
      t.match(outcomes, [
        { name: 'base', outcome: 'failed', version: '1.0-1', detail: /7/ },
        { name: 'shop', outcome: 'failed', version: '1.0-1' },
        { name: 'other', outcome: 'changed' },
      ])
      for (const name of ['base', 'shop']) {
        const look = await world.provider.inspect([name], { owned: new Set([name]), depth: 'full' })
        t.match(look, [{ name, version: '1.0-1', state: 'whole' }])
      }
    })
  }

  check('a package that failed and could not be put back does not keep others back', async (t, world) => {
    await run(world, stepOf('install', await world.build(version1)))
    const bad = await world.build({ ...version2, scripts: { postInstall: 'exit 3' } })
    t.match(await run(world, stepOf('upgrade', bad, { from: '1.0-1' })), { outcome: 'failed', before: '1.0-1' })
    const other = await world.build({ name: 'other', version: '1-1' })
    t.match(await run(world, stepOf('install', other)), { outcome: 'changed' })
    const good = await world.build({ ...version2, version: '2.1-1' })
    t.match(await run(world, stepOf('upgrade', good, { from: '1.0-1' })), { outcome: 'changed', version: '2.1-1' })
    t.match(await seen(world), { state: 'whole', version: '2.1-1' })
  })

  check('a look changes nothing', async (t, world) => {
    await run(world, stepOf('install', await world.build(version1)))
    const before = await snapshot(world)
    await seen(world)
    await world.provider.inspect(['shop', 'nothing'], { owned: new Set(['shop']), depth: 'full' })
    t.same(await snapshot(world), before)
  })

  check('scripts run, and what they print is kept', async (t, world) => {
    const said: string[] = []
    const context = { ...world.context, output: (text: string) => void said.push(text) }
    const log = world.insidePath('ran')
    const scripts = { preInstall: `echo pre >>${log}`, postInstall: `echo hello from shop; echo post >>${log}` }
    await world.provider.ensure([stepOf('install', await world.build({ ...version1, scripts }))], context)
    t.equal(await fs.readFile(path.join(world.targetRoot, 'ran'), 'utf8'), 'pre\npost\n')
    t.match(said.join('\n'), /hello from shop/)
  })

  check('a first installation that fails leaves nothing behind and says why', async (t, world) => {
    const bad = await world.build({ ...version1, scripts: { postInstall: 'echo no such database >&2; exit 3' } })
    const outcome = await run(world, stepOf('install', bad))
    t.match(outcome, { outcome: 'failed', version: null, before: null, detail: /3/ })
    t.same(await world.provider.inspect(['shop'], quick), [])
    t.same(await exists(path.join(world.filesOf('shop'), 'VERSION')), false)
  })

  for (const script of ['preInstall', 'postInstall'] as const) {
    check(`an upgrade whose ${script} fails leaves the version before it, and others go on`, async (t, world) => {
      const one = await world.build(version1)
      await run(world, stepOf('install', one))
      const bad = await world.build({ ...version2, scripts: { [script]: 'exit 3' } })
      const other = await world.build({ name: 'other', version: '1.0-1' })
      const steps = [stepOf('upgrade', bad, { from: '1.0-1', previous: one }), stepOf('install', other)]
      const outcomes = await world.provider.ensure(steps, world.context)
      t.match(outcomes, [
        { name: 'shop', outcome: 'failed', version: '1.0-1', before: '1.0-1' },
        { name: 'other', outcome: 'changed', version: '1.0-1' },
      ])
      t.match(await seen(world), { state: 'whole', version: '1.0-1' })
      t.same(await filesIn(world), ['VERSION', 'bin/shop', 'lib/a'])
      const good = await world.build({ ...version2, version: '2.1-1' })
      t.match(await run(world, stepOf('upgrade', good, { from: '1.0-1', previous: one })), { outcome: 'changed' })
    })
  }

  check(
    'a script that hangs or waits for an answer is ended',
    async (t, world) => {
      const one = await world.build(version1)
      await run(world, stepOf('install', one))
      const asks = await world.build({ ...version2, scripts: { postInstall: 'read answer || exit 4' } })
      const step = stepOf('upgrade', asks, { from: '1.0-1', previous: one })
      t.match(await run(world, step), { outcome: 'failed', version: '1.0-1', detail: /4/ })
      const hangs = await world.build({ ...version2, version: '2.1-1', scripts: { postInstall: 'sleep 600' } })
      const outcome = await run(world, stepOf('upgrade', hangs, { from: '1.0-1', previous: one }))
      t.match(outcome, { outcome: 'failed', version: '1.0-1', detail: /too long|longer than/ })
      t.match(await seen(world), { state: 'whole', version: '1.0-1' })
    },
    'short',
  )

  check('a removal that its script refuses leaves the package', async (t, world) => {
    const built = await world.build({ ...version1, scripts: { preRemove: 'test -n "$ALLOWED" || exit 5' } })
    await run(world, stepOf('install', built))
    t.match(await run(world, stepOf('remove', built)), {
      outcome: 'failed',
      version: '1.0-1',
      before: '1.0-1',
      detail: /5/,
    })
    t.match(await seen(world), { state: 'whole' })
    t.equal(await read(world, 'VERSION'), '1.0-1\n')
  })

  check('every step is in the journal before it is done', async (t, world) => {
    const { steps } = world.context
    const journal = async (step: string) => {
      if (steps.length === 0) t.same(await world.provider.inspect(['shop'], quick), [], 'nothing is done yet')
      steps.push(step)
    }
    await world.provider.ensure([stepOf('install', await world.build(version1))], { ...world.context, journal })
    t.ok(steps.length > 0)
  })
}

const quick: InspectOptions = { owned: new Set(['shop']), depth: 'quick' }

async function run({ provider, context }: ProviderWorld, step: Step) {
  const outcomes = await provider.ensure([step], context)
  if (outcomes.length !== 1 || outcomes[0] === undefined) throw new Error(`${outcomes.length} outcomes for one step`)
  return outcomes[0]
}

async function seen({ provider }: ProviderWorld): Promise<Actual | undefined> {
  return (await provider.inspect(['shop'], quick))[0]
}

async function read({ filesOf }: ProviderWorld, file: string): Promise<string> {
  return await fs.readFile(path.join(filesOf('shop'), file), 'utf8')
}

async function filesIn(world: ProviderWorld): Promise<string[]> {
  const folder = await fs.realpath(world.filesOf('shop'))
  return (await filesBelow(folder, { isNote: () => false })).filter((file) => !file.endsWith('/'))
}

async function filesBelow(folder: string, world: Pick<ProviderWorld, 'isNote'>): Promise<string[]> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)) + (entry.isDirectory() ? '/' : ''))
    .filter((file) => !world.isNote(file))
    .sort()
}

/** The mode, time and content of every file below the target root, by its path. */
async function snapshot(world: ProviderWorld): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const file of await filesBelow(world.targetRoot, world)) {
    const full = path.join(world.targetRoot, file)
    const stat = await fs.lstat(full)
    const content = stat.isFile()
      ? await fs.readFile(full, 'utf8')
      : stat.isSymbolicLink()
        ? await fs.readlink(full)
        : ''
    all[file] = `${stat.mode.toString(8)} ${stat.isDirectory() ? '' : stat.mtimeMs} ${content}`
  }
  return all
}

async function exists(file: string): Promise<boolean> {
  return await fs.access(file).then(
    () => true,
    () => false,
  )
}
