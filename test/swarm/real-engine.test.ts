import t from 'tap'
import { realPassage } from '../contract/contract.ts'
import { engineContract } from '../contract/engine-contract.ts'
import { nodesFor } from './kit.ts'

engineContract(t, async (t) => ({
  ...(await nodesFor(t)),
  passage: realPassage,
  killEngine: (node) => {
    process.kill(node.enginePid(), 'SIGKILL')
  },
}))
