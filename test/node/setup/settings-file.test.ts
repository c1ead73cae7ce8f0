// Durations in node.yaml: with their unit, as the milliseconds of earlier versions, and wrong.

import t from 'tap'
import { parseSettings } from '../../../src/model/settings.ts'
import { msOfDuration } from '../../../src/model/units/durations.ts'
import { loadSettings, settingsText } from '../../../src/node/setup/settings-file.ts'

const load = (text: string) => loadSettings({ read: async () => new TextEncoder().encode(text) }, '/home/node.yaml')

t.test('durations are read as people write them', async (t) => {
  const { checkInterval, timestampLifetime } = await load('name: one\ncheckInterval: 10m\ntimestampLifetime: 7d\n')
  t.equal(msOfDuration(checkInterval ?? 0), 600_000)
  t.equal(msOfDuration(timestampLifetime ?? 0), 604_800_000)
})

t.test('a number is milliseconds, as earlier versions wrote them', async (t) => {
  const { checkInterval, timestampLifetime } = await load('name: one\ncheckInterval: 500\ntimestampLifetime: 4000\n')
  t.same(
    [checkInterval, timestampLifetime].map((written) => msOfDuration(written ?? 0)),
    [500, 4000],
  )
})

t.test('what is written into node.yaml keeps its unit and is read back the same', async (t) => {
  const settings = parseSettings({ name: 'one', checkInterval: '10m', timestampLifetime: '7d' }, 'settings')
  const text = settingsText(settings)
  t.match(text, /^checkInterval: "10m"$/m)
  t.match(text, /^timestampLifetime: "7d"$/m)
  t.same(await load(text), settings)
})

t.test('a wrong duration is refused with its line', async (t) => {
  for (const [written, got] of [
    ['10min', '"10min"'],
    ['soon', '"soon"'],
    ['-1', '"-1"'],
    ['1.5h', '"1.5h"'],
  ]) {
    await t.rejects(load(`name: one\ncheckInterval: ${written}\n`), {
      code: 'bad-input',
      message: `/home/node.yaml:2: checkInterval: expected a duration such as 30s, 10m, 2h or 7d, got ${got}`,
    })
  }
  await t.rejects(load('name: one\ntimestampLifetime: [7d]\n'), {
    code: 'bad-input',
    message: /^\/home\/node\.yaml:2: timestampLifetime: expected/,
  })
})
