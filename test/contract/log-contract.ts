// What holds for every log.

import type { Test } from 'tap'
import type { Log } from '../../src/world/world.ts'

/** `lines` gives what was logged so far, at all levels, one string each. */
export function logContract(t: Test, open: () => { log: Log; lines: () => string[] }): void {
  t.test('each call is one line with its level, message and fields', async (t) => {
    const { log, lines } = open()
    log.debug('looked')
    log.info('refreshed', { revision: 7, parent: 'https://10.0.0.1:7420' })
    log.warn('odd', { reason: 'two words', none: undefined, nothing: null, yes: true })
    log.error('failed', { text: 'line\nbreak "quoted"' })
    t.equal(lines().length, 4)
    t.match(lines()[0], / debug looked$/)
    t.match(lines()[1], / info refreshed revision=7 parent=https:\/\/10\.0\.0\.1:7420$/)
    t.match(lines()[2], / warn odd reason="two words" nothing=null yes=true$/)
    t.match(lines()[3], / error failed text="line\\nbreak \\"quoted\\""$/)
  })
}
