// What the tests of a run came to, read from its TAP. A test is a sentence in a test file, not an
// assertion in it.

import { createRequire } from 'node:module'

// tap's own parser, of the version that tap itself uses.
const { Parser } = createRequire(createRequire(import.meta.url).resolve('tap'))('tap-parser')

/**
 * The outcome of each test, in order: `problems` says what went wrong in it, and is empty for a
 * test that passed. A file that ended badly without a failed test is an outcome too.
 *
 * @param {string | Uint8Array} tap
 * @param {{ skipsFail: boolean }} options
 * @returns {{ problems: string[], skipped: string[] }[]}
 */
export function outcomesOf(tap, { skipsFail }) {
  const outcomes = []
  const parser = new Parser()
  let problemsOfFile = 0
  parser.on('child', (child) => {
    problemsOfFile = 0
    watch(child, skipsFail, (outcome) => {
      outcomes.push(outcome)
      problemsOfFile += outcome.problems.length
    })
  })
  parser.on('assert', (test) => {
    if (test.skip && skipsFail) {
      outcomes.push({ problems: [`${test.name} was skipped: ${test.skip}`], skipped: [] })
    } else if (!test.ok && problemsOfFile === 0) {
      // The file died before its first test or after its last, or ran out of time.
      outcomes.push({ problems: [`${test.name} did not end well: ${causeOf(test.diag)}`], skipped: [] })
    }
  })
  parser.end(tap)
  return outcomes
}

/** Calls back for each test of a file with what went wrong in it, however deep. */
function watch(parser, skipsFail, onTest) {
  let inside = { problems: [], skipped: [] }
  parser.on('child', (child) =>
    watch(child, skipsFail, ({ problems, skipped }) => {
      inside.problems.push(...problems)
      inside.skipped.push(...skipped)
    }),
  )
  parser.on('assert', (test) => {
    const { problems, skipped } = inside
    inside = { problems: [], skipped: [] }
    if (test.skip || test.todo) {
      if (skipsFail) problems.push(`${test.fullname} was skipped: ${test.skip || test.todo}`)
      else skipped.push(test.fullname)
    } else if (!test.ok && problems.length === 0) {
      problems.push(`${test.fullname}: ${causeOf(test.diag)}`)
    }
    onTest({ problems, skipped })
  })
}

function causeOf(diag) {
  const { at, diff, exitCode, signal, timeout, message } = diag ?? {}
  const where = at?.fileName === undefined ? '' : `${at.fileName}:${at.lineNumber} `
  const ends = [message, exitCode && `exit code ${exitCode}`, signal, timeout && `after ${timeout} ms`]
  return `${where}${ends.filter(Boolean).join(' ')}${diff === undefined ? '' : `\n${diff}`}`
}
