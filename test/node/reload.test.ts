import t from 'tap'
import { parseSettings } from '../../src/model/settings.ts'
import { reloadedFrom } from '../../src/node/reload.ts'

const settings = (more: object) =>
  parseSettings({ name: 'one', parents: ['https://10.0.0.1:7420'], ...more }, 'settings')

t.test('limits are taken on at once, what is built in waits for a restart', async (t) => {
  const started = settings({ uploadLimit: '10mbit', site: 'berlin' })
  const read = settings({ downloadLimit: '2MB/s', site: 'potsdam', controlPort: 1 })
  const reloaded = reloadedFrom(started, started, read)
  t.same(reloaded.changed, ['downloadLimit', 'uploadLimit'])
  t.same(reloaded.needRestart, ['controlPort', 'site'])
  t.same(reloaded.settings, settings({ downloadLimit: '2MB/s', site: 'berlin' }))
})

t.test('a second reload of the same file changes nothing, and still says what waits', async (t) => {
  const started = settings({})
  const read = settings({ linkUploadLimit: 1, listen: '127.0.0.1' })
  const { settings: live } = reloadedFrom(started, started, read)
  t.same(reloadedFrom(started, live, read), { settings: live, changed: [], needRestart: ['listen'] })
  t.same(reloadedFrom(started, live, started).changed, ['linkUploadLimit'])
})

t.test('a node keeps its name', async (t) => {
  t.throws(() => reloadedFrom(settings({}), settings({}), settings({ name: 'two' })), { code: 'conflict' })
})
