// A connection ends with the certificate that it was made with.

import type { TLSSocket } from 'node:tls'

/** The longest wait that a timer takes. */
const timerMaxMs = 2 ** 31 - 1

/**
 * Destroys the connection once the other end's certificate has ended by this machine's clock. TLS
 * looks at a certificate in the handshake only, and a connection can live for weeks.
 */
export function endWithCertificate(socket: TLSSocket, onEnd?: () => void): void {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return
  const endsAt = certificate.validToDate.getTime()
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    const leftMs = endsAt - Date.now()
    if (leftMs <= 0) {
      onEnd?.()
      socket.destroy()
      return
    }
    timer = setTimeout(look, Math.min(leftMs, timerMaxMs))
    timer.unref()
  }
  look()
  socket.once('close', () => clearTimeout(timer))
}
