// Runs several test files in one process, one after the other:
// `BANYAN_TEST_FILES='["test/a.test.ts", ...]' node several-files.js`. What each file imports as
// `tap` is a test of its own below the test of this process, named after the file.

import { registerHooks } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

const files = JSON.parse(process.env['BANYAN_TEST_FILES'] ?? '[]')
delete process.env['BANYAN_TEST_FILES']
const scheme = 'banyan-test:'

/** The test of each file, by the address of the file. The modules that stand in for tap read it. */
const testOfFile = new Map()
globalThis[Symbol.for('banyan.testOfFile')] = testOfFile

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'tap' || !testOfFile.has(context.parentURL)) return next(specifier, context)
    return { url: `${scheme}${context.parentURL}`, format: 'module', shortCircuit: true }
  },
  load(url, context, next) {
    if (!url.startsWith(scheme)) return next(url, context)
    const file = JSON.stringify(url.slice(scheme.length))
    const source = `export default globalThis[Symbol.for('banyan.testOfFile')].get(${file})`
    return { format: 'module', source, shortCircuit: true }
  },
})

// Each file has a limit; the process has none beside it.
t.setTimeout(0)
const done = files.map((file) =>
  t.test(file, async (test) => {
    test.setTimeout(Number(process.env['TAP_TIMEOUT']) * 1000)
    test.testdirName = path.resolve('.tap', 'fixtures', file.replace(/[^\w.-]+/g, '-'))
    const url = pathToFileURL(path.resolve(file)).href
    testOfFile.set(url, test)
    await import(url)
  }),
)
await Promise.all(done)
// From here on the process has to end by itself; `run.js` sees to that.
t.end()
