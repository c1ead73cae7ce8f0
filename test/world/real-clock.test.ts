import t from 'tap'
import { systemClock } from '../../src/world/clock.ts'
import { systemRandom } from '../../src/world/random.ts'
import { clockContract } from '../contract/clock-contract.ts'
import { realPassage } from '../contract/contract.ts'
import { randomContract } from '../contract/random-contract.ts'

clockContract(t, () => ({ clock: systemClock, passage: realPassage }))
randomContract(t, () => systemRandom)
