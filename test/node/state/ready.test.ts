// What an apply is given while packages are in quarantine.

import t from 'tap'
import { actionsReady } from '../../../src/node/state/ready.ts'
import type { State } from '../../../src/node/state/state.ts'
import type { Action } from '../../../src/reconcile/plan.ts'
import type { Quarantined } from '../../../src/reconcile/quarantine.ts'

const digest = 'a'.repeat(64)

function action(name: string, what: 'install' | 'remove', together?: string[]): Action {
  const source = what === 'remove' ? null : { manifest: digest, payload: digest, path: '/store/a' }
  return {
    ...{ name, kind: 'deb', what, cause: 'pending', from: null, to: what === 'remove' ? null : '1', found: '' },
    ...{ source, previous: null, ...(together && { together }) },
  }
}

const failed: Quarantined = {
  ...{ name: 'newmta', kind: 'deb', manifest: digest, revision: 7, failures: 1, because: 'exit 3' },
  ...{ failedAt: 0, nextTry: 1, untilMs: 1 },
}

t.test('one change: while a package is in quarantine, what is tied to it stays as it is', async (t) => {
  const actions = [
    action('oldmta', 'remove', ['deb/newmta']),
    action('newmta', 'install', ['deb/oldmta']),
    action('far', 'remove', ['deb/oldmta']),
    action('other', 'remove'),
  ]
  const seen = { revision: 7, differences: [], plan: { schema: 1, revision: 7, digest, actions, waiting: [] } }
  const namesIn = (quarantine: Quarantined[]) =>
    actionsReady({ seen, quarantine, applyNotBeforeMs: null, rechecking: false } as Pick<
      State,
      'seen' | 'quarantine' | 'applyNotBeforeMs' | 'rechecking'
    >).map(({ name }) => name)
  t.same(namesIn([failed]), ['other'])
  t.same(namesIn([{ ...failed, untilMs: null }]), ['oldmta', 'newmta', 'far', 'other'])
})
