// Finds nobody: whom to meet is the tracker's to say, and the control side's to pass on.
import { EventEmitter } from 'node:events'

export default class Discovery extends EventEmitter {
  complete() {}

  destroy(done) {
    done?.()
  }
}
