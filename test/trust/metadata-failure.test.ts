// The English of tuf-js that metadata-failure.ts reads: each sentence comes from the pinned version itself, so that a
// new version which words it differently fails here.

import t from 'tap'
import { TrustedMetadataStore } from 'tuf-js/dist/store.js'
import { limits } from '../../src/model/limits.ts'
import { metadataFailureOf } from '../../src/trust/metadata-failure.ts'
import { rolloutsFile, rootFile, snapshotFile, targetsFile, timestampFile } from '../../src/trust/metadata-signing.ts'
import { dayMs, keysOfThief, start } from './acme.ts'

const keys = keysOfThief('fleet')

/** All files of one state, signed by the same keys at `now`. */
function stateOf(version: number, now = start) {
  const writing = { version, now, keys }
  const targets = targetsFile({ ...writing, revision: { sha256: 'ab'.repeat(32), size: 7 } })
  const rollouts = rolloutsFile({ ...writing, rollouts: { sha256: 'cd'.repeat(32), size: 7 } })
  const snapshot = snapshotFile(writing, { targets, rollouts })
  const timestamp = timestampFile(writing, { snapshot, lifetimeMs: dayMs })
  return { root: rootFile(writing), targets, rollouts, snapshot, timestamp }
}

type State = ReturnType<typeof stateOf>
type Step = 'timestamp' | 'snapshot' | 'targets' | 'rollouts'

const bytesOf = (state: State, name: keyof State) => Buffer.from(state[name].bytes)

/** A store of tuf-js that has taken these files of a state in, and looks at expiry at `at`. */
function storeWith(state: State, steps: readonly Step[], at = start): TrustedMetadataStore {
  const store = new TrustedMetadataStore(bytesOf(state, 'root'))
  Object.assign(store, { referenceTime: new Date(at) })
  for (const step of steps) take(store, state, step)
  return store
}

function take(store: TrustedMetadataStore, state: State, step: Step): void {
  const bytes = bytesOf(state, step)
  if (step === 'timestamp') store.updateTimestamp(bytes)
  else if (step === 'snapshot') store.updateSnapshot(bytes)
  else store.updateDelegatedTargets(bytes, step, step === 'targets' ? 'root' : 'targets')
}

/** What tuf-js throws. */
function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('tuf-js took it')
}

t.test('what has expired is frozen, and the file that ended is named', async (t) => {
  // All but the timestamp hold for as long as each other, so each case has one file that is older.
  const late = start + limits.rootLifetimeMs + dayMs
  const old = stateOf(1)
  const cases: [string, unknown][] = [
    ['root', thrownBy(() => storeWith(old, ['timestamp'], late))],
    ['timestamp', thrownBy(() => storeWith(old, ['timestamp'], start + 2 * dayMs))],
    ['snapshot', thrownBy(() => expiredAfter('snapshot'))],
    ['targets', thrownBy(() => expiredAfter('targets'))],
    ['rollouts', thrownBy(() => expiredAfter('rollouts'))],
  ]
  for (const [role, thrown] of cases) {
    const failure = metadataFailureOf(thrown, 'timestamp.json', (ended) => `the end of ${ended}`)
    t.match(failure, {
      attack: 'frozen',
      code: 'expired',
      message: `${role}.json ended at the end of ${role}, and nothing newer was offered`,
    })
  }
})

/** Takes a state whose timestamp is new and whose other files are old, at a time at which only `step` is too old. */
function expiredAfter(step: 'snapshot' | 'targets' | 'rollouts'): void {
  const at = start + limits.targetsLifetimeMs + dayMs
  const writing = (isOld: boolean) => ({ version: 1, now: isOld ? start : at, keys })
  const targets = targetsFile({ ...writing(step === 'targets'), revision: { sha256: 'ab'.repeat(32), size: 7 } })
  const rollouts = rolloutsFile({ ...writing(step === 'rollouts'), rollouts: { sha256: 'cd'.repeat(32), size: 7 } })
  const snapshot = snapshotFile(writing(step === 'snapshot'), { targets, rollouts })
  const timestamp = timestampFile(writing(false), { snapshot, lifetimeMs: dayMs })
  const state = { root: rootFile(writing(true)), targets, rollouts, snapshot, timestamp }
  storeWith(state, ['timestamp', 'snapshot', 'targets', 'rollouts'], at)
}

t.test('a version that is lower than before is a rollback', async (t) => {
  const [before, after] = [stateOf(2), stateOf(3)]
  const mixed = timestampFile({ version: 4, now: start, keys }, { snapshot: before.snapshot, lifetimeMs: dayMs })
  const lower = snapshotFile({ version: 4, now: start, keys }, { targets: before.targets, rollouts: after.rollouts })
  const withLower = timestampFile({ version: 4, now: start, keys }, { snapshot: lower, lifetimeMs: dayMs })
  const cases: [string, unknown][] = [
    [
      'New timestamp version 2 is less than current version 3',
      thrownBy(() => take(storeWith(after, ['timestamp']), before, 'timestamp')),
    ],
    [
      'New snapshot version 2 is less than current version 3',
      thrownBy(() => storeWith(after, ['timestamp']).updateTimestamp(Buffer.from(mixed.bytes))),
    ],
    [
      'New version 2 of targets.json is less than current version 3',
      thrownBy(() => {
        const store = storeWith(after, ['timestamp'])
        // As the updater does it: the trusted snapshot is read below the new timestamp.
        store.updateTimestamp(Buffer.from(withLower.bytes))
        thrownBy(() => store.updateSnapshot(bytesOf(after, 'snapshot'), true))
        store.updateSnapshot(Buffer.from(lower.bytes))
      }),
    ],
  ]
  for (const [says, thrown] of cases) {
    t.match(metadataFailureOf(thrown, 'a.json'), {
      attack: 'rolled-back',
      code: 'rolled-back',
      message: `a.json: ${says}`,
    })
  }
})

t.test('a version that only differs from what it should be is forged', async (t) => {
  const [one, two, three] = [stateOf(1), stateOf(2), stateOf(3)]
  const other = timestampFile(
    { version: 5, now: start, keys },
    { snapshot: { ...one.snapshot, version: 9 }, lifetimeMs: dayMs },
  )
  const cases: [string, unknown][] = [
    ['Expected version 2, got 3', thrownBy(() => storeWith(one, []).updateRoot(bytesOf(three, 'root')))],
    [
      "Snapshot version doesn't match timestamp",
      thrownBy(() => storeWith({ ...one, timestamp: other }, ['timestamp', 'snapshot'])),
    ],
    [
      'New timestamp version 2 is equal to current version 2',
      thrownBy(() => take(storeWith(two, ['timestamp']), two, 'timestamp')),
    ],
  ]
  for (const [says, thrown] of cases) {
    t.match(metadataFailureOf(thrown, 'a.json'), {
      attack: 'metadata-forged',
      code: 'untrusted',
      message: `a.json: ${says}`,
    })
  }
})

t.test('what is no metadata at all is forged, and said to be none', async (t) => {
  const store = storeWith(stateOf(1), [])
  for (const bytes of ['', 'no JSON', '{"signed": 3}', '{"signed": {"_type": "timestamp"}, "signatures": 7}']) {
    const failure = metadataFailureOf(
      thrownBy(() => store.updateTimestamp(Buffer.from(bytes))),
      'timestamp.json',
    )
    t.equal(failure.attack, 'metadata-forged', bytes)
    t.match(failure.message, /^timestamp\.json: not metadata: /, bytes)
  }
})
