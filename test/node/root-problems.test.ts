import t from 'tap'
import { rootProblems } from '../../src/node/root-problems.ts'

const problemsWith = (agree: number, voices: number) =>
  rootProblems({ ahead: () => null, clockDoubt: () => ({ machine: 2e12, signing: 1e12, agree, voices }) }).join()

t.test(
  'a single child that does not agree with the clock of the root does not make that clock the wrong one',
  async (t) => {
    t.match(problemsWith(0, 1), /nothing says which of the two clocks is wrong.*doctor --fix/)
    t.notMatch(problemsWith(0, 3), /nothing says/)
    t.notMatch(problemsWith(1, 3), /nothing says/)
  },
)
