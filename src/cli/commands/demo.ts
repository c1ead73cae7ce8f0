// `banyan demo`: a whole tree of real nodes on this machine.

import { type Arguments, type Command, type ExitCode, exitCodes, jsonOf, jsonOption } from '../command.ts'
import type { Screen } from '../demo/live.ts'
import type { DemoResult } from '../demo/table.ts'
import type { Tree } from '../demo/tree.ts'
import { note, print, printJson } from '../output.ts'
import { tableText } from '../text/table.ts'
import { bytesText } from '../text/units.ts'

export const demoCommand: Command = {
  command: 'demo',
  describe: 'run a whole tree on this machine: a root, two sites, nine daemons, real software',
  builder: (argv) =>
    jsonOption(argv)
      .option('once', {
        type: 'boolean',
        default: false,
        describe: 'end when the story is over; exit code 0 only if all nodes converged',
      })
      .option('keep', { type: 'boolean', default: false, describe: 'keep the folder of the tree' })
      .example('$0 demo --once --json', ''),
  run: async (args) => {
    // Loaded here, so that no other command pays for it.
    const { openTree } = await import('../demo/tree.ts')
    const tree = await openTree({ keep: args['keep'] === true })
    const interrupted = nextSignal()
    try {
      return await Promise.race([show(tree, args, interrupted), interrupted.then(() => exitCodes.failed)])
    } finally {
      await tree.fell()
    }
  },
}

async function show(tree: Tree, args: Arguments, interrupted: Promise<void>): Promise<ExitCode> {
  const { runStory } = await import('../demo/story.ts')
  const result = await runStory(tree, screenOn(process.stderr))
  await (jsonOf(args) ? printJson(result) : print(resultText(result)))
  const exitCode = result.ok ? exitCodes.done : exitCodes.failed
  if (args['once'] === true) return exitCode
  await note(
    `\nThe tree stays up: try \`src/cli/banyan.js status --home ${tree.nodes.get('root')?.home}\`. Ctrl-C ends it.`,
  )
  await interrupted
  return exitCode
}

function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
}

function screenOn(stream: NodeJS.WriteStream): Screen {
  let drawn = 0
  const clear = () => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[J`)
    drawn = 0
  }
  const say = (text: string) => {
    clear()
    stream.write(`${text}\n`)
  }
  return {
    title: (text) => say(`\n== ${text}`),
    say,
    draw(lines) {
      if (!stream.isTTY) return
      clear()
      const room = lines.slice(0, Math.max(1, (stream.rows ?? 24) - 2))
      for (const line of room) stream.write(`${line.slice(0, (stream.columns ?? 80) - 1)}\n`)
      drawn = room.length
    },
  }
}

function resultText(result: DemoResult): string {
  const nodes = tableText(
    [
      { title: 'NODE' },
      { title: 'SITE' },
      { title: 'PARENT' },
      { title: 'CONVERGED', align: 'right' },
      { title: 'FROM PARENT', align: 'right' },
      { title: 'FROM SIBLINGS', align: 'right' },
      { title: 'INSTALLED' },
    ],
    result.nodes.map((row) => [
      row.node,
      row.site,
      row.parent ?? '-',
      String(row.converged ?? '-'),
      bytesText(row.fromParent),
      bytesText(row.fromSiblings),
      Object.entries(row.installed)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ]),
  )
  const links = tableText(
    [
      { title: 'SITE' },
      { title: 'PACKAGE' },
      { title: 'PAYLOAD', align: 'right' },
      { title: 'OVER THE LINK', align: 'right' },
      { title: 'RATIO', align: 'right' },
    ],
    result.links.map((row) => [
      row.site,
      `${row.package} ${row.version}`,
      bytesText(row.payloadBytes),
      bytesText(row.linkBytes),
      row.ratio.toFixed(3),
    ]),
  )
  const steps = result.steps.map(
    (step) => `${step.name}: revision ${step.revision}, ${step.converged.length} nodes converged in ${step.seconds} s`,
  )
  return ['', ...steps, '', nodes, '', links].join('\n')
}
