// Stands in for WebRTC, which Banyan never uses: peers meet over mutual TLS only.
export default class Peer {
  static WEBRTC_SUPPORT = false
}
