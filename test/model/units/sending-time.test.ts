import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { sendingMs } from '../../../src/model/units/sending-time.ts'

t.test(
  'a small answer gets no time of its own, a large one as much as a thin link needs, and none endlessly much',
  async (t) => {
    t.equal(sendingMs(0), 0)
    t.equal(sendingMs(limits.httpFreeAnswerBytes), 0)
    t.equal(sendingMs(limits.slowestBytesPerSecond * 20), 20_000)
    t.ok(sendingMs(limits.swarmThresholdBytes) < limits.sendingMaxMs, 'the largest small payload at the slowest speed')
    t.equal(sendingMs(limits.objectMaxBytes), limits.sendingMaxMs)
  },
)
