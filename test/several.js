import { registerHooks } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

const files = process.argv.slice(2)
const key = Symbol.for('banyan.testOfFile')
globalThis[key] = new Map()
registerHooks({
  resolve(specifier, context, next) {
    const parent = context.parentURL
    if (specifier === 'tap' && globalThis[key].has(parent))
      return { url: `banyan-test:${parent}`, format: 'module', shortCircuit: true }
    return next(specifier, context)
  },
  load(url, context, next) {
    if (!url.startsWith('banyan-test:')) return next(url, context)
    const file = JSON.stringify(url.slice('banyan-test:'.length))
    return { format: 'module', shortCircuit: true, source: `export default globalThis[Symbol.for('banyan.testOfFile')].get(${file})` }
  },
})
for (const file of files) {
  const url = pathToFileURL(path.resolve(file)).href
  t.test(file, async (sub) => {
    globalThis[key].set(url, sub)
    await import(url)
  })
}
