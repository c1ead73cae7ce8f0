// Stands in for WebRTC, which Banyan never uses: peers connect over mutual TLS only.
export default class Peer {
  static WEBRTC_SUPPORT = false
}
