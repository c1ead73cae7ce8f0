// A process for the crash tests to kill: publishes version after version, and says each step as it
// takes it.

import { benchAt, quietLog } from './workbench.ts'

const [dir = '', folder = '', first = '1'] = process.argv.slice(2)
const repository = await benchAt(dir).open({ log: quietLog })
for (let version = Number(first); ; version += 1) {
  await repository.publish(folder, {
    version: `${version}`,
    onProgress: ({ step, done }) => process.stdout.write(`${version} ${step} ${done}\n`),
  })
}
