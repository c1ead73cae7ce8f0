// Adds up what the checks and test runs came to: `node count.js NAME=EXIT-CODE[=TAP-FILE]...`. Says which tests failed or
// were skipped, and ends with `N passed, N failed`. A test is a sentence in a test file, not an assertion in it.

import fs from 'node:fs'
import { createRequire } from 'node:module'

// tap's own parser, of the version that tap itself uses.
const { Parser } = createRequire(createRequire(import.meta.url).resolve('tap'))('tap-parser')
const skipsFail = process.env.CI !== undefined && process.env.CI !== 'false'

let passed = 0
let failed = 0
for (const argument of process.argv.slice(2)) {
  const [name, code, file] = argument.split('=')
  if (file === undefined) count(code === '0' ? [] : [`${name} ended with ${code}`])
  else countTests(name, Number(code), file)
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

function countTests(name, code, file) {
  const before = failed
  const parser = new Parser()
  let problemsOfFile = 0
  parser.on('child', (child) => {
    problemsOfFile = 0
    watch(child, (problems) => {
      count(problems)
      problemsOfFile += problems.length
    })
  })
  parser.on('assert', (test) => {
    if (test.skip && skipsFail) count([`${test.name} was skipped: ${test.skip}`])
    // Died before its first test or after its last, or ran out of time.
    else if (!test.ok && problemsOfFile === 0) count([`${test.name} did not end well: ${causeOf(test.diag)}`])
  })
  parser.end(fs.readFileSync(file))
  if (code !== 0 && failed === before) count([`${name} ended with ${code}`])
}

/** Calls back for each test of a file with what went wrong in it, however deep. */
function watch(parser, onTest) {
  let inside = []
  parser.on('child', (child) => watch(child, (problems) => inside.push(...problems)))
  parser.on('assert', (test) => {
    const problems = inside
    inside = []
    if (test.skip || test.todo) {
      if (skipsFail) problems.push(`${test.fullname} was skipped: ${test.skip || test.todo}`)
      else process.stdout.write(`skipped: ${test.fullname}\n`)
    } else if (!test.ok && problems.length === 0) {
      problems.push(`${test.fullname}: ${causeOf(test.diag)}`)
    }
    onTest(problems)
  })
}

function count(problems) {
  if (problems.length === 0) passed += 1
  else failed += 1
  for (const problem of problems) process.stdout.write(`FAILED: ${problem}\n`)
}

function causeOf(diag) {
  const { at, diff, exitCode, signal, timeout } = diag ?? {}
  const where = at?.fileName === undefined ? '' : `${at.fileName}:${at.lineNumber} `
  const end = [exitCode && `exit code ${exitCode}`, signal, timeout && `after ${timeout} ms`].filter(Boolean).join(' ')
  return `${where}${end}${diff === undefined ? '' : `\n${diff}`}`
}
