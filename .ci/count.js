// Adds up the outcomes of checks and test runs: `node count.js NAME=EXIT-CODE[=TAP-FILE]...`.
// Prints which tests failed or were skipped. The last line is `N passed, N failed`.

import fs from 'node:fs'
import { outcomesOf } from './outcomes.js'

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
  for (const { problems, skipped } of outcomesOf(fs.readFileSync(file), { skipsFail })) {
    for (const test of skipped) process.stdout.write(`skipped: ${test}\n`)
    count(problems)
  }
  if (code !== 0 && failed === before) count([`${name} ended with ${code}`])
}

function count(problems) {
  if (problems.length === 0) passed += 1
  else failed += 1
  for (const problem of problems) process.stdout.write(`FAILED: ${problem}\n`)
}
