// Every command, in the order of `banyan --help`.

import type { Command } from './command.ts'
import { acknowledgeCommand } from './commands/acknowledge.ts'
import { applyCommand } from './commands/apply.ts'
import { checkCommand } from './commands/check.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { diffCommand, historyCommand } from './commands/history.ts'
import { initCommand } from './commands/init.ts'
import { joinCommand } from './commands/join.ts'
import { metricsCommand } from './commands/metrics.ts'
import { nodeCommand } from './commands/node.ts'
import { nodeInfoCommand } from './commands/node-info.ts'
import { nodesCommand } from './commands/nodes.ts'
import { packageCommand, packagesCommand } from './commands/packages.ts'
import { planCommand } from './commands/plan.ts'
import { publishCommand } from './commands/publish.ts'
import { recoverCommand } from './commands/recover.ts'
import { releaseCommand } from './commands/release.ts'
import { reloadCommand } from './commands/reload.ts'
import { rollbackCommand } from './commands/rollback.ts'
import { rolloutCommand } from './commands/rollout.ts'
import { statusCommand } from './commands/status.ts'
import { revokeCommand, tokenCommand } from './commands/token.ts'
import { torrentCommand } from './commands/torrent.ts'
import { whyCommand } from './commands/why.ts'

export const commands: readonly Command[] = [
  initCommand,
  nodeCommand,
  tokenCommand,
  joinCommand,
  revokeCommand,
  publishCommand,
  packagesCommand,
  packageCommand,
  planCommand,
  releaseCommand,
  rollbackCommand,
  historyCommand,
  diffCommand,
  rolloutCommand,
  statusCommand,
  nodesCommand,
  nodeInfoCommand,
  acknowledgeCommand,
  metricsCommand,
  torrentCommand,
  checkCommand,
  applyCommand,
  whyCommand,
  reloadCommand,
  doctorCommand,
  recoverCommand,
  demoCommand,
]
