// Keeps a command's process alive while it waits: the timers of `Clock` do not.

const longMs = 2 ** 30

export async function awake<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, longMs)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
